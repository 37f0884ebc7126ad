import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Where Debian puts each version; its own folder is not in PATH. */
const DEBIAN_PROGRAMS = '/usr/lib/postgresql';
const READY_MS = 20_000;

/** A PostgreSQL of the test's own, in a temporary directory, reached by a unix socket. */
export class PostgresServer {
  #process: ChildProcess | undefined;

  private constructor(
    private readonly programs: string,
    private readonly directory: string,
  ) {}

  static async start(): Promise<PostgresServer> {
    const directory = mkdtempSync(join(tmpdir(), 'warden-postgres-'));
    const { uid, gid } = unprivileged();
    chownSync(directory, uid, gid);
    const server = new PostgresServer(installedPrograms(), directory);
    execFileSync(
      join(server.programs, 'initdb'),
      [
        '--pgdata',
        join(directory, 'data'),
        '--username',
        'warden',
        '--auth',
        'trust',
        '--no-sync',
        '--encoding',
        'UTF8',
      ],
      { uid, gid, cwd: directory, stdio: 'pipe' },
    );
    await server.begin();
    return server;
  }

  /** URL of a database of its own for each name. */
  url(database = 'postgres'): string {
    return `postgres://warden@localhost/${database}?host=${encodeURIComponent(this.directory)}`;
  }

  async createDatabase(name: string): Promise<string> {
    execFileSync(join(this.programs, 'createdb'), ['--host', this.directory, '--username', 'warden', name]);
    return this.url(name);
  }

  async begin(): Promise<void> {
    const { uid, gid } = unprivileged();
    this.#process = spawn(
      join(this.programs, 'postgres'),
      [
        '-D',
        join(this.directory, 'data'),
        '-k',
        this.directory,
        '-c',
        'listen_addresses=',
        '-c',
        'shared_buffers=16MB',
      ],
      { uid, gid, cwd: this.directory, stdio: 'ignore' },
    );
    const until = Date.now() + READY_MS;
    while (!this.#answers()) {
      if (Date.now() > until) throw new Error('PostgreSQL did not get ready');
      await sleep(50);
    }
  }

  /** Ends every connection at once, as a restart does. */
  async stop(): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    if (running?.exitCode !== null) return;
    const exited = once(running, 'exit');
    running.kill('SIGINT');
    await exited;
  }

  /** The server and what serves each client stand still: connections stay open, and nothing answers. */
  freeze(): void {
    this.#signal('SIGSTOP');
  }

  thaw(): void {
    this.#signal('SIGCONT');
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }

  #signal(signal: NodeJS.Signals): void {
    const server = this.#process!.pid!;
    const children = execFileSync('ps', ['--ppid', String(server), '-o', 'pid='], { encoding: 'utf8' });
    for (const pid of [server, ...children.trim().split(/\s+/).map(Number)]) process.kill(pid, signal);
  }

  #answers(): boolean {
    try {
      execFileSync(join(this.programs, 'pg_isready'), ['--host', this.directory], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  }
}

function installedPrograms(): string {
  const found = (existsSync(DEBIAN_PROGRAMS) ? readdirSync(DEBIAN_PROGRAMS) : [])
    .map((version) => join(DEBIAN_PROGRAMS, version, 'bin'))
    .filter((directory) => existsSync(join(directory, 'initdb')))
    .at(-1);
  if (found === undefined) {
    throw new Error('PostgreSQL is not installed, and this test needs it: run scripts/setup.sh');
  }
  return found;
}

/** PostgreSQL refuses to run as root. */
function unprivileged(): { uid: number; gid: number } {
  const uid = process.getuid!();
  if (uid !== 0) return { uid, gid: process.getgid!() };
  const id = (option: string) => Number(execFileSync('id', [option, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}
