import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { SourceRefusal } from './source-refusal.js';

/** Bytes of any file that a program of ours may write: a pack of a policy repository is far smaller. */
const MAX_PACK_BYTES = 256 * 1024 * 1024;
/** Bytes of a program's address space. An object in a pack of that size may inflate to far more. */
const MAX_MEMORY_BYTES = 1024 * 1024 * 1024;
const MAX_STDERR = 16 * 1024;

export interface GitAccess {
  /** Private key for ssh. */
  sshKey?: string;
  /** Host keys for ssh; without it nothing is trusted but what the system's known_hosts say. */
  knownHosts?: string;
  /** PEM with certificates to trust for https. */
  caFile?: string;
  /** The header `Authorization` for https: `Bearer TOKEN`, or `Basic` with user and password. */
  authorization?: string;
}

export interface CommandOptions {
  /** The program's working directory, and where its few needs of a home are met. */
  directory: string;
  timeoutMs: number;
  /** Of its output. */
  maxBytes?: number;
  /** Of each file that it writes. */
  maxFileBytes?: number;
  input?: string | Buffer;
  access?: GitAccess;
}

export interface CommandResult {
  code: number;
  stdout: Buffer;
  stderr: string;
}

/** Settings that keep Git from running anything but itself and its transports, and from asking anybody. */
const GIT_SETTINGS = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.symlinks=false',
  'protocol.allow=never',
  'protocol.file.allow=always',
  'protocol.https.allow=always',
  'protocol.ssh.allow=always',
  'fetch.recurseSubmodules=false',
  'fetch.fsckObjects=true',
  'fetch.unpackLimit=1',
  'submodule.recurse=false',
  'http.followRedirects=false',
  'http.lowSpeedLimit=1000',
  'http.lowSpeedTime=20',
  'credential.helper=',
  // One thread, and large objects as a stream: what a remote sends decides how much memory is needed.
  'pack.threads=1',
  'core.bigFileThreshold=1m',
  'gc.auto=0',
  'maintenance.auto=false',
  'advice.detachedHead=false',
];

/** Runs the system's git, without the configuration of anybody. */
export function runGit(args: readonly string[], options: CommandOptions): Promise<CommandResult> {
  const settings = GIT_SETTINGS.flatMap((setting) => ['-c', setting]);
  return runBounded('git', [...settings, ...args], options);
}

/**
 * Runs a program in a process group of its own, which is ended when time is up or more is written than may be. It dies with
 * this process, so that nothing writes to the state directory when the service is gone.
 *
 * @throws SourceRefusal where it takes too long or says too much; Error where it cannot be run
 */
export function runBounded(
  program: string,
  args: readonly string[],
  {
    directory,
    timeoutMs,
    maxBytes = 1024 * 1024,
    maxFileBytes = MAX_PACK_BYTES,
    input,
    access = {},
  }: CommandOptions,
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      'prlimit',
      [
        `--fsize=${maxFileBytes}`,
        `--as=${MAX_MEMORY_BYTES}`,
        '--core=0',
        'setpriv',
        '--pdeathsig',
        'KILL',
        program,
        ...args,
      ],
      {
        cwd: directory,
        env: environmentFor(directory, access),
        stdio: ['pipe', 'pipe', 'pipe'],
        detached: true,
      },
    );
    const parts: Buffer[] = [];
    let size = 0;
    let stderr = '';
    let ended: SourceRefusal | undefined;
    const end = (refusal: SourceRefusal) => {
      ended ??= refusal;
      try {
        process.kill(-child.pid!, 'SIGKILL');
      } catch {
        // It has ended meanwhile.
      }
    };
    const timer = setTimeout(
      () => end(new SourceRefusal('timeout', `${program} was not done within ${timeoutMs / 1000} s`)),
      timeoutMs,
    );
    child.stdout.on('data', (part: Buffer) => {
      size += part.length;
      if (size > maxBytes) end(new SourceRefusal('too-large', `${program} says more than ${maxBytes} bytes`));
      else parts.push(part);
    });
    child.stderr.on('data', (part: Buffer) => {
      if (stderr.length < MAX_STDERR) stderr += part.toString();
    });
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (ended) return reject(ended);
      if (signal === 'SIGXFSZ') return reject(new SourceRefusal('too-large', 'the repository is too large'));
      resolve({ code: code ?? -1, stdout: Buffer.concat(parts), stderr });
    });
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}

function environmentFor(directory: string, access: GitAccess): NodeJS.ProcessEnv {
  const { sshKey, knownHosts, caFile, authorization } = access;
  const ssh = [
    'ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=15',
    '-o ServerAliveInterval=10 -o ServerAliveCountMax=3 -o IdentitiesOnly=yes -o IdentityAgent=none',
    '-o PermitLocalCommand=no -o ForwardAgent=no',
    ...(knownHosts === undefined
      ? []
      : [`-o UserKnownHostsFile=${quoted(knownHosts)} -o GlobalKnownHostsFile=/dev/null`]),
    ...(sshKey === undefined ? [] : [`-i ${quoted(sshKey)}`]),
  ].join(' ');
  return {
    PATH: process.env.PATH ?? '/usr/bin:/bin',
    HOME: directory,
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '/bin/false',
    SSH_ASKPASS: '/bin/false',
    GIT_SSH_COMMAND: ssh,
    GNUPGHOME: join(directory, 'gnupg'),
    ...(caFile !== undefined && { GIT_SSL_CAINFO: caFile }),
    // Not an argument: those everybody on the host can read.
    ...(authorization !== undefined && {
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'http.extraHeader',
      GIT_CONFIG_VALUE_0: `Authorization: ${authorization}`,
    }),
  };
}

/** For the shell that GIT_SSH_COMMAND is given to. */
function quoted(path: string): string {
  return `'${path.replaceAll("'", `'\\''`)}'`;
}
