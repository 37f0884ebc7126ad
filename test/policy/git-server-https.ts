import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { freePort, run, ServerProcess, serverDirectory, type GitServer } from './git-server.js';

const TOKEN = 'a-token.of~its+own/=';

/** Files in PEM. */
export interface Certificate {
  caFile: string;
  certificate: string;
  key: string;
}

/** A certificate for 127.0.0.1 by an authority of its own. */
export function certify(directory: string): Certificate {
  const file = (name: string) => join(directory, name);
  const newKey = ['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc'];
  const authority = ['-x509', '-days', '2', '-subj', '/CN=Test authority'];
  run('openssl', ...newKey, ...authority, '-keyout', file('ca.key'), '-out', file('ca.pem'));
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  run('openssl', ...newKey, ...subject, '-keyout', file('server.key'), '-out', file('server.csr'));
  const signed = ['x509', '-req', '-days', '2', '-in', file('server.csr'), '-copy_extensions', 'copyall'];
  run('openssl', ...signed, '-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-out', file('server.pem'));
  return { caFile: file('ca.pem'), certificate: file('server.pem'), key: file('server.key') };
}

/** Git's smart HTTP: its own `git http-backend` behind Apache with TLS, for who shows the bearer token. */
export async function httpsServer(): Promise<GitServer> {
  const root = serverDirectory();
  const own = join(root, 'apache2');
  mkdirSync(own);
  const { caFile, certificate, key } = certify(own);
  const repositories = join(root, 'repositories');
  mkdirSync(repositories);
  const port = await freePort();
  const modules = ['mpm_prefork', 'authn_core', 'authz_core', 'alias', 'env', 'cgi', 'ssl'];
  const configuration = join(own, 'apache2.conf');
  writeFileSync(
    configuration,
    `${modules.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so\n`).join('')}
ServerRoot ${own}
ServerName 127.0.0.1
DefaultRuntimeDir ${own}
PidFile ${own}/pid
ErrorLog ${own}/error.log
Mutex file:${own}
User www-data
Group www-data
Listen 127.0.0.1:${port}
StartServers 2
SSLEngine on
SSLCertificateFile ${certificate}
SSLCertificateKeyFile ${key}
SetEnv GIT_PROJECT_ROOT ${repositories}
SetEnv GIT_HTTP_EXPORT_ALL 1
# The repositories belong to whoever runs the tests.
SetEnv GIT_CONFIG_COUNT 1
SetEnv GIT_CONFIG_KEY_0 safe.directory
SetEnv GIT_CONFIG_VALUE_0 *
ScriptAlias / /usr/lib/git-core/git-http-backend/
<Location />
  AuthType None
  Require expr "%{HTTP:Authorization} == 'Bearer ${TOKEN}'"
</Location>
`,
  );
  const server = await ServerProcess.start('/usr/sbin/apache2', ['-f', configuration, '-DFOREGROUND'], port);
  return {
    root: repositories,
    access: { caFile, authorization: `Bearer ${TOKEN}` },
    urlOf: (repository) => `https://127.0.0.1:${port}/${relative(repositories, repository)}`,
    stop: async () => {
      await server.stop();
      rmSync(root, { recursive: true, force: true });
    },
  };
}
