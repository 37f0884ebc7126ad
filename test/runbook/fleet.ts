import { execFile } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { compiledService, REPOSITORY } from '../end-to-end/compiled-service.js';
import { RunningService, type Outcome } from '../end-to-end/running-service.js';
import { ShiftedClock, shiftedClockMissing } from '../end-to-end/shifted-clock.js';
import { FixtureHost, fixtureHostMissing } from '../fixtures/host/fixture-host.js';
import { GitRemote } from '../policy/git-remote.js';

export const NODES = ['node-1', 'node-2', 'node-3', 'node-4', 'node-5'] as const;
/** The one of them that a share of 20 % has. */
export const CANARY = 'node-2';

const COMMAND_TIMEOUT_MS = 120_000;

/**
 * Five services with directories of their own, one policy repository, and a workstation with a clone of it. They share one
 * libvirt, so none of them defines domains again. Their clock is one that tests set.
 */
export class Fleet {
  private readonly root = mkdtempSync(join(tmpdir(), 'warden-fleet-'));
  private readonly bin = join(this.root, 'bin');
  private readonly clock = new ShiftedClock(join(this.root, 'offset'));
  private readonly repository = new GitRemote();
  private readonly services = new Map<string, RunningService>();
  libvirt!: FixtureHost;

  async start(): Promise<void> {
    cpSync(join(REPOSITORY, 'policies/examples/repository'), this.repository.work, { recursive: true });
    this.repository.commit('The example');
    this.writePrograms();
    this.libvirt = await FixtureHost.start();
    for (const node of NODES) await this.startNode(node);
  }

  service(node: string): RunningService {
    return this.services.get(node)!;
  }

  /** Sets the clock of all services to so many days from now. */
  setDays(days: number): void {
    this.clock.setDays(days);
  }

  /** Writes a document to a file. */
  file(name: string, text: string): string {
    const path = join(this.root, name);
    writeFileSync(path, text);
    return path;
  }

  /** Commits and pushes a document, as a colleague would. @returns the commit */
  merge(path: string, text: string): string {
    this.repository.git('pull', '--quiet', 'origin', 'main');
    this.repository.write(path, text);
    return this.repository.commit('A change');
  }

  /** Runs commands on the workstation. */
  run(commands: string): Promise<Outcome> {
    const env = {
      PATH: [this.bin, process.env.PATH].join(delimiter),
      HOME: this.root,
      POLICIES: this.repository.work,
      NODES: NODES.join(' '),
      CANARY,
      WARDEN_RISKS: join(REPOSITORY, 'policies/risks'),
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_AUTHOR_NAME: 'Operator',
      GIT_AUTHOR_EMAIL: 'operator@example.org',
      GIT_COMMITTER_NAME: 'Operator',
      GIT_COMMITTER_EMAIL: 'operator@example.org',
    };
    return new Promise((resolve) => {
      const args = ['--norc', '-euo', 'pipefail', '-c', commands];
      execFile('bash', args, { env, timeout: COMMAND_TIMEOUT_MS }, (error, stdout, stderr) =>
        resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
      );
    });
  }

  async stop(): Promise<void> {
    await Promise.all([...this.services.values()].map((service) => service.stop()));
    await this.libvirt?.stop();
    this.repository.remove();
    rmSync(this.root, { recursive: true, force: true });
  }

  private async startNode(node: string): Promise<void> {
    const directory = join(this.root, node);
    mkdirSync(directory);
    const service = await RunningService.start({
      directory,
      libvirtSocket: this.libvirt.socket,
      environment: {
        WARDEN_HOST_NAME: node,
        WARDEN_POLICIES: join(REPOSITORY, 'policies'),
        WARDEN_POLICY_GIT: this.repository.url,
        WARDEN_POLICY_POLL_SECONDS: '0',
        WARDEN_POLICY_BRAKE: '10',
        WARDEN_RECONCILE: 'false',
      },
      launcher: this.clock.launcher,
    });
    this.services.set(node, service);
    await service.ready();
  }

  /** The workstation's wardenctl, and an ssh that reaches the simulated hosts: their commands run with their service's address. */
  private writePrograms(): void {
    const wardenctl = `exec ${process.execPath} ${join(compiledService(), 'dist/cli/wardenctl.js')} "$@"`;
    const ssh = `node=$1; shift; WARDEN_SERVER="unix:${this.root}/$node/api.sock" exec sh -c "$*"`;
    mkdirSync(this.bin);
    for (const [name, program] of Object.entries({ wardenctl, ssh })) {
      writeFileSync(join(this.bin, name), `#!/bin/sh\n${program}\n`);
      chmodSync(join(this.bin, name), 0o755);
    }
  }
}

/** Why there can be no such fleet here; undefined where there can. */
export function fleetMissing(): string | undefined {
  return fixtureHostMissing() ?? shiftedClockMissing();
}
