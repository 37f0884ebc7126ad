import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, run, ServerProcess, serverDirectory, type GitServer } from './git-server.js';

/** Where OpenSSH's sshd confines the part of it that nobody has authenticated to yet. */
const PRIVILEGE_SEPARATION = '/run/sshd';

/**
 * OpenSSH's sshd on 127.0.0.1, whose one user may do nothing but what `git-shell` lets it.
 *
 * @param command run instead of `git-shell`: what a server does that has gone wrong
 */
export async function sshServer(command?: string): Promise<GitServer> {
  const root = serverDirectory();
  const own = join(root, 'sshd');
  mkdirSync(own, { mode: 0o700 });
  mkdirSync(PRIVILEGE_SEPARATION, { recursive: true, mode: 0o755 });
  const file = (name: string, text: string) => {
    writeFileSync(join(own, name), text, { mode: 0o600 });
    return join(own, name);
  };
  const keyPair = (name: string) => {
    run('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', join(own, name));
    return { key: join(own, name), line: readFileSync(join(own, `${name}.pub`), 'utf8') };
  };
  const host = keyPair('host');
  const client = keyPair('client');
  const forced = command ?? 'git-shell -c \\"$SSH_ORIGINAL_COMMAND\\"';
  const port = await freePort();
  const configuration = file(
    'sshd_config',
    `Port ${port}
ListenAddress 127.0.0.1
HostKey ${host.key}
PidFile none
AuthorizedKeysFile ${file('authorized_keys', `restrict,command="${forced}" ${client.line}`)}
# Its directories are below one that everybody may write to.
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin forced-commands-only
# As in a shell's shell, whose start-up files are not read.
SetEnv SHLVL=2
`,
  );
  const server = await ServerProcess.start('/usr/sbin/sshd', ['-D', '-e', '-f', configuration], port);
  return {
    root,
    access: {
      sshKey: client.key,
      // Any port: what stands between client and server has one of its own.
      knownHosts: file('known_hosts', `[127.0.0.1]:* ${host.line}`),
    },
    urlOf: (repository) => `ssh://root@127.0.0.1:${port}${repository}`,
    stop: async () => {
      await server.stop();
      rmSync(root, { recursive: true, force: true });
    },
  };
}
