import { readGuardStatus } from '../../src/host/guard/guard-status.js';
import type { CaseResult } from '../cases/lab-case.js';
import type { DeviceFacts } from '../exposures/exposure.js';
import { defineGuest, expectClosed, untilGuarded, untilTrue } from './guarded-guests.js';
import { domainXml } from './lab-domain.js';
import { DIRECT, PROXY, type LabHost } from './lab-host.js';
import { PausedGuest } from './paused-guest.js';

/** Domains for which the policy has rules: one is closed by the guard, the other by a bus. */
const GUARDED = 'lab-guard-all';
const MOVED = 'lab-depth-bus';
const READ_ONLY = 'qemu+unix:///system?socket=/run/libvirt/libvirt-sock-ro';
/** After a takeover: libvirt itself. */
const UPSTREAM = 'qemu+unix:///system?socket=/run/libvirt/upstream/libvirt-sock';
const SOCKETS = ['libvirtd.socket', 'libvirtd-ro.socket', 'libvirtd-admin.socket'];
const GUARD_UNITS = ['vfio-warden-guard.service', 'vfio-warden-guard-mode.path'];
/** An emulated processor takes a minute for what takes a second. */
const OWN_DROP_IN = '/etc/systemd/system/vfio-warden.service.d';
const SLOW = '[Service]\nTimeoutStartSec=300\n';
const REPOSITORY = '/srv/policies';
const BRIDGE = 'pcie-to-pci-bridge';

/** What an operator does to a node, in this order. */
export class SystemdNode {
  #qemu = '';

  constructor(
    private readonly host: LabHost,
    private readonly devices: [DeviceFacts, DeviceFacts],
    private readonly result: CaseResult,
  ) {}

  async install(): Promise<void> {
    await this.host.agent.writeFile(`${OWN_DROP_IN}/lab.conf`, SLOW);
    await this.#deploy('install.sh');
    await this.host.untilServiceReady();
    await untilGuarded(this.host);
    await this.host.turn('enforce');
    for (const unit of ['vfio-warden.service', ...GUARD_UNITS]) await this.#expectActive(unit);
    const exposure = await this.host.agent.run(['systemd-analyze', 'security', 'vfio-warden.service']);
    this.result.seen.push(
      exposure
        .trim()
        .split('\n')
        .at(-1)!
        .replace(/[^ -~]/g, '')
        .trim(),
    );
    // What the sandbox of the unit takes away must not be what the service looks with.
    const { capabilities } = (await this.host.api('/v1/host')) as {
      capabilities: Record<string, { state?: string; detail?: string }>;
    };
    for (const [name, { state, detail }] of Object.entries(capabilities)) {
      if (state !== undefined) this.result.seen.push(`${name}: ${state}${detail ? `, ${detail}` : ''}`);
    }
  }

  /** Around the proxy, by libvirt's own socket: nothing has been taken over yet. */
  async startGuest(): Promise<PausedGuest> {
    await defineGuest(this.host, GUARDED, [this.devices[0]], DIRECT);
    await this.host.virsh(['autostart', GUARDED], DIRECT);
    await this.host.start(GUARDED, { paused: true, uri: DIRECT });
    const around = await this.host.agent.exec(['virsh', '-q', '-c', DIRECT, 'create', await this.#moved()]);
    this.#note(
      around.code !== 0 && around.err.includes('vfio-warden'),
      `a domain that lacks its bus, around the proxy: ${around.code === 0 ? 'started' : 'vetoed by the hook'}`,
    );
    const guest = await this.#guest();
    await this.#expectClosed(guest, 'a VM that was started by a client of libvirt itself');
    return guest;
  }

  /** The processes that fetch and read a revision are in the unit's sandbox, too. */
  async policiesByGit(): Promise<void> {
    const { agent } = this.host;
    if ((await agent.exec(['sh', '-c', 'command -v git'])).code !== 0) {
      this.result.seen.push('policies from Git: not looked at, this host has no git');
      return;
    }
    const git = `git -C ${REPOSITORY} -c user.name=lab -c user.email=lab@localhost`;
    await agent.run([
      'sh',
      '-ec',
      `mkdir -p ${REPOSITORY}; cp /etc/vfio-warden/policies/* ${REPOSITORY}; git init -q -b main ${REPOSITORY}; ${git} add .; ` +
        `${git} commit -qm "Policies of the lab"; echo "policyGit: file://${REPOSITORY}" >>/etc/vfio-warden/config.yaml`,
    ]);
    const commit = await agent.run(['git', '-C', REPOSITORY, 'rev-parse', 'HEAD']);
    await agent.run(['systemctl', 'restart', 'vfio-warden.service'], { timeout: 300 });
    await this.host.untilServiceReady();
    await agent.run(['wardenctl', 'policy', 'sync'], { timeout: 300 });
    const status = await agent.run(['wardenctl', 'policy', 'status', '--json'], { timeout: 60 });
    const inForce = status.includes(commit.trim());
    this.#note(
      inForce,
      `policies from Git: commit ${commit.slice(0, 12)} is ${inForce ? '' : 'not '}in force`,
    );
  }

  async takeOver(guest: PausedGuest): Promise<void> {
    await this.#deploy('takeover.sh');
    await this.#expectTakenOver('taken over');
    await this.#expectUntouched('through the takeover');
    await this.#expectClosed(guest, 'the same VM after it');
    await this.#expectRewritten('a client that knows only libvirt’s socket', DIRECT);
    const refused = await this.host.agent.exec(['virsh', '-q', '-c', READ_ONLY, 'undefine', MOVED]);
    this.#note(
      refused.code !== 0 && /read.?only/i.test(refused.err),
      `the read-only socket: ${refused.err.trim().split('\n').at(-1)}`,
    );
    await this.host.virsh(['undefine', MOVED], DIRECT);
    await this.host.agent.run(['systemctl', 'restart', 'libvirtd.service'], { timeout: 300 });
    await this.#expectRewritten('after a restart of libvirtd', DIRECT);
    await this.host.virsh(['undefine', MOVED], DIRECT);
  }

  /** systemd holds the sockets meanwhile: a client waits, and is not refused. */
  async killService(): Promise<void> {
    const before = await this.#show('vfio-warden.service', 'MainPID');
    await this.host.agent.run(['systemctl', 'kill', '-s', 'KILL', 'vfio-warden.service']);
    const answered = await this.host.agent.exec(['virsh', '-q', '-c', DIRECT, 'list', '--name'], {
      timeout: 120,
    });
    this.#note(
      answered.code === 0 && answered.out.includes(GUARDED),
      `the service is killed: who connects then is ${answered.code === 0 ? 'answered' : answered.err.trim()}`,
    );
    const after = await this.#show('vfio-warden.service', 'MainPID');
    this.#note(before !== after && after !== '0', `systemd has started it again (${before}, ${after})`);
    await this.host.untilServiceReady();
  }

  /** All that a boot starts, at once: the units have to order themselves. The VM is on autostart. */
  async bootAnew(): Promise<PausedGuest> {
    const { agent } = this.host;
    await this.host.virsh(['destroy', GUARDED], UPSTREAM);
    const proxies = ['vfio-warden-proxy.socket', 'vfio-warden-proxy-ro.socket'];
    const services = ['vfio-warden.service', ...GUARD_UNITS, 'libvirtd.service'];
    await agent.run(['systemctl', 'stop', ...services, ...SOCKETS, ...proxies], { timeout: 300 });
    await agent.run(['sh', '-c', 'warden-guard detach --force; rm -rf /run/libvirt/qemu/autostarted']);
    await agent.run(['systemctl', 'start', '--no-block', ...services, ...SOCKETS]);
    await untilTrue(async () => {
      const running = await agent.exec(['virsh', '-q', '-c', DIRECT, 'list', '--name']);
      return running.out.includes(GUARDED);
    }, 'the VM on autostart');
    const monotonic = async (unit: string) => Number(await this.#show(unit, 'ActiveEnterTimestampMonotonic'));
    const order = ['vfio-warden-guard.service', 'vfio-warden.service', 'libvirtd.service'];
    const times = await Promise.all(order.map(monotonic));
    this.#note(
      times.every((time, index) => time > 0 && (index === 0 || time >= times[index - 1]!)),
      `units are up in this order: ${order.map((unit, index) => `${unit} ${Math.round(times[index]! / 1000)} ms`).join(', ')}`,
    );
    await this.#expectTakenOver('after that');
    const guest = await this.#guest();
    await this.#expectClosed(guest, 'the VM on autostart');
    return guest;
  }

  async upgrade(guest: PausedGuest): Promise<void> {
    await this.#deploy('install.sh');
    await this.host.untilServiceReady();
    await this.#expectTakenOver('installed again');
    await this.#expectUntouched('through that');
    await this.#expectClosed(guest, 'the VM after it');
  }

  async switchWithoutService(): Promise<void> {
    const { agent } = this.host;
    await agent.run(['systemctl', 'stop', 'vfio-warden.service', 'vfio-warden-proxy.socket'], {
      timeout: 60,
    });
    for (const mode of ['off', 'enforce'] as const) {
      await agent.run(['sh', '-c', `echo ${mode} >/var/lib/vfio-warden/mode`]);
      await untilTrue(async () => (await this.#guard()).mode === mode, `the guard's mode ${mode}`);
      this.result.seen.push(`with the service stopped, "${mode}" in the file: the guard is at ${mode}`);
    }
    await agent.run(['systemctl', 'start', 'vfio-warden-proxy.socket', 'vfio-warden.service'], {
      timeout: 60,
    });
    await this.host.untilServiceReady();
  }

  async giveBack(): Promise<void> {
    await this.#deploy('takeover.sh', '--back');
    const { code, out } = await this.#script('takeover.sh', '--check');
    this.#note(
      code === 1 && out.includes('libvirt itself'),
      `given back: ${out.trim().replaceAll('\n', '; ')}`,
    );
    await this.#expectUntouched('when they are given back');
    await this.#expectRewritten('the proxy by its own socket', PROXY);
    await this.host.virsh(['undefine', MOVED], PROXY);
  }

  async remove(): Promise<void> {
    const said = await this.host.agent.exec(['wardenctl', 'uninstall'], { timeout: 120 });
    this.#note(
      said.code === 0,
      `wardenctl uninstall: exit ${said.code} ${said.code === 0 ? '' : said.err + said.out}`.trim(),
    );
    await this.#deploy('install.sh', '--remove');
    await this.host.agent.run(['rm', '-r', OWN_DROP_IN]);
    const left = await this.host.agent.exec([
      'sh',
      '-c',
      'ls -d /usr/lib/vfio-warden* /usr/sbin/warden-guard /usr/bin/wardenctl /usr/local/lib/systemd/system/vfio-warden* ' +
        '/etc/systemd/system/*vfio-warden* /etc/systemd/system/*/*vfio-warden* /etc/libvirt/hooks/qemu.d 2>/dev/null',
    ]);
    this.#note(
      left.out === '',
      `removed: ${left.out === '' ? 'no program, unit or hook is left' : left.out}`,
    );
    await this.#expectUntouched('after the removal');
  }

  /** @returns the path of a domain's XML that lacks what policy asks for */
  async #moved(): Promise<string> {
    const path = `/tmp/${MOVED}.xml`;
    await this.host.agent.writeFile(path, domainXml({ name: MOVED, devices: [this.devices[1]] }));
    return path;
  }

  async #guest(): Promise<PausedGuest> {
    this.#qemu = await this.#qemuOf();
    return PausedGuest.of(this.host, GUARDED, DIRECT);
  }

  #note(right: boolean, text: string): void {
    this.result[right ? 'seen' : 'failures'].push(text);
  }

  async #expectActive(unit: string): Promise<void> {
    const { out } = await this.host.agent.exec(['systemctl', 'is-active', unit]);
    this.#note(out.trim() === 'active', `${unit}: ${out.trim()}`);
  }

  async #expectTakenOver(when: string): Promise<void> {
    const { code, out } = await this.#script('takeover.sh', '--check');
    this.#note(code === 0, `${when}: ${out.trim().replaceAll('\n', '; ')}`);
  }

  /** By the process that it is. */
  async #expectUntouched(by: string): Promise<void> {
    const { code } = await this.host.agent.exec(['kill', '-0', this.#qemu]);
    const known = await this.host.virsh(['list', '--name'], DIRECT);
    this.#note(
      code === 0 && this.#qemu === (await this.#qemuOf()) && known.includes(GUARDED),
      `the VM goes on ${by}: QEMU is process ${this.#qemu}`,
    );
  }

  async #qemuOf(): Promise<string> {
    return (await this.host.agent.readText(`/run/libvirt/qemu/${GUARDED}.pid`)).trim();
  }

  async #expectClosed(guest: PausedGuest, when: string): Promise<void> {
    await expectClosed(this.host, guest, this.devices[0], this.result, when);
  }

  async #expectRewritten(who: string, uri: string): Promise<void> {
    await this.host.virsh(['define', await this.#moved()], uri);
    const xml = await this.host.virsh(['dumpxml', MOVED], uri);
    this.#note(
      xml.includes(BRIDGE),
      `${who} defines a domain: ${xml.includes(BRIDGE) ? 'rewritten' : 'as it was'}`,
    );
  }

  async #guard() {
    const status = await this.host.agent.run(['warden-guard', 'status']);
    return readGuardStatus(JSON.parse(status) as Record<string, unknown>);
  }

  async #show(unit: string, property: string): Promise<string> {
    return (await this.host.agent.run(['systemctl', 'show', '--value', '-p', property, unit])).trim();
  }

  /** @throws Error where it fails */
  async #deploy(script: string, ...args: string[]): Promise<void> {
    const { code, out, err } = await this.#script(script, ...args);
    if (code !== 0) {
      const journal = await this.host.agent.exec([
        'journalctl',
        '-q',
        '-n',
        '60',
        '-o',
        'cat',
        '-u',
        'vfio-warden*',
      ]);
      throw new Error(`${script} ${args.join(' ')}: exit ${code}: ${err}${out}; the journal: ${journal.out}`);
    }
    this.result.seen.push(`${[script, ...args].join(' ')}: ${out.trim().split('\n').at(-1)}`);
  }

  async #script(script: string, ...args: string[]) {
    return this.host.agent.exec(['sh', `${this.host.project}/deploy/${script}`, ...args], { timeout: 300 });
  }
}
