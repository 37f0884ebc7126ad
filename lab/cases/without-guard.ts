import {
  endGuest,
  defineGuest,
  expectClosed,
  named,
  onGuard,
  untilGuarded,
  withGuest,
} from '../outside/guarded-guests.js';
import type { Decision } from '../../src/decision/decision.js';
import type { DeviceFacts } from '../exposures/exposure.js';
import type { LabHost } from '../outside/lab-host.js';
import type { CaseResult, LabCase } from './lab-case.js';

/** A domain that may have whatever the host has, and one that may have the guard alone. */
const ANY = 'lab-guard-missing';
const GUARDED = 'lab-guard-all';
const BTF = '/sys/kernel/btf';
const LOCKDOWN = '/sys/kernel/security/lockdown';
/** The guard is looked at every 3 seconds; an emulated processor takes its time. */
const TOLD_WITHIN_MS = 90_000;

export default [
  {
    name: 'guard-missing',
    summary:
      'without BTF, without libbpf, under lockdown: the service says what is missing, and plans without it',
    byDefault: false,
    run: (context) =>
      onGuard(context, async (host, devices, result) => {
        const [nvme] = named(devices, 'nvme');
        const sh = (command: string) => host.agent.run(['sh', '-c', command]);
        await sh(`mount -t tmpfs none ${BTF}; warden-guard detach --force`);
        await expectTold(host, nvme!, result, 'without BTF', /btf: .*CONFIG_DEBUG_INFO_BTF/);
        await sh(`umount ${BTF}`);
        await untilGuarded(host);

        await sh('mv /usr/lib/x86_64-linux-gnu/libbpf.so.1 /usr/lib/x86_64-linux-gnu/libbpf.so.1.away');
        await expectTold(
          host,
          nvme!,
          result,
          'without libbpf',
          /libbpf\.so\.1: cannot open shared object file/,
        );
        await sh('mv /usr/lib/x86_64-linux-gnu/libbpf.so.1.away /usr/lib/x86_64-linux-gnu/libbpf.so.1');
        await untilGuarded(host);

        try {
          await sh(`mountpoint -q /sys/kernel/security || mount -t securityfs none /sys/kernel/security`);
          await sh(`echo integrity >${LOCKDOWN}; warden-guard detach --force`);
          await untilGuarded(host);
          await withGuest(host, GUARDED, [nvme!], (guest) =>
            expectClosed(host, guest, nvme!, result, 'lockdown at integrity, attached under it'),
          );
          await sh(`echo confidentiality >${LOCKDOWN}`);
          await withGuest(host, GUARDED, [nvme!], (guest) =>
            expectClosed(host, guest, nvme!, result, 'lockdown at confidentiality, attached before it'),
          );
          await sh('warden-guard detach --force');
          await expectTold(
            host,
            nvme!,
            result,
            'lockdown at confidentiality, to be attached under it',
            /load: .*lockdown: confidentiality/,
          );
        } finally {
          // Nothing but a boot takes lockdown back.
          await host.off();
        }
      }),
  },
] satisfies LabCase[];

/** The service tells why it has no guard, in these words, and plans a domain by something else. */
async function expectTold(
  host: LabHost,
  device: DeviceFacts,
  result: CaseResult,
  when: string,
  words: RegExp,
): Promise<void> {
  const told = await untilTold(host, words);
  result[words.test(told) ? 'seen' : 'failures'].push(`${when}: ${told}`);
  await defineGuest(host, ANY, [device]);
  try {
    // To be planned it need not start, and newer emulators would not without libbpf.
    const { record } = (await host.api(`/v1/domains/${ANY}/explanation`)) as {
      record: { decision: Pick<Decision, 'devices'> };
    };
    const used = record.decision.devices.flatMap(({ plan }) => plan.mechanisms.map(({ name }) => name));
    const without = used.length > 0 && !used.includes('kernel-guard');
    result[without ? 'seen' : 'failures'].push(
      `${when}: a domain is planned with ${used.join(', ') || 'nothing'}`,
    );
  } finally {
    await endGuest(host, ANY);
  }
}

async function untilTold(host: LabHost, words: RegExp): Promise<string> {
  for (const deadline = Date.now() + TOLD_WITHIN_MS; ;) {
    const { capabilities } = (await host.api('/v1/host')) as {
      capabilities: { kernelGuard: { state: string; detail: string } };
    };
    const { state, detail } = capabilities.kernelGuard;
    if ((state !== 'ready' && words.test(detail)) || Date.now() > deadline) return `${state}: ${detail}`;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
