import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GitAccess } from '../../src/policy/sources/git-command.js';

/** Serves the repositories in a folder. */
export interface GitServer {
  readonly root: string;
  /** What a client needs to be let in. */
  readonly access: GitAccess;
  /** @param repository below `root` */
  urlOf(repository: string): string;
  stop(): Promise<void>;
}

/** No server: Git reads the repository itself. */
export function fileServer(): GitServer {
  const root = serverDirectory();
  return {
    root,
    access: {},
    urlOf: (repository) => `file://${repository}`,
    stop: async () => rmSync(root, { recursive: true, force: true }),
  };
}

/** A folder that servers can read which give up being root. */
export function serverDirectory(): string {
  const root = mkdtempSync(join(tmpdir(), 'warden-git-'));
  chmodSync(root, 0o755);
  return root;
}

/** A port of 127.0.0.1 that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** A server's process, in the foreground. */
export class ServerProcess {
  private said = '';

  private constructor(private readonly child: ChildProcess) {
    const keep = (text: string) => void (this.said += text);
    child.stdout!.setEncoding('utf8').on('data', keep);
    child.stderr!.setEncoding('utf8').on('data', keep);
  }

  /** Started, and listening. @throws Error with what it said where it ends instead */
  static async start(command: string, args: readonly string[], port: number): Promise<ServerProcess> {
    // In a process group of its own, since Apache ends the whole group that it is in; and it does not outlive the tests.
    const child = spawn('setpriv', ['--pdeathsig', 'TERM', command, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const server = new ServerProcess(child);
    for (const deadline = Date.now() + 20_000; Date.now() < deadline;) {
      if (server.child.exitCode !== null) break;
      if (await isListening(port)) return server;
      await sleep(20);
    }
    await server.stop();
    throw new Error(`${command} does not listen: ${server.said}`);
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exit = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    await exit;
  }
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

export function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
