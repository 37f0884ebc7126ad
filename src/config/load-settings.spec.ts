import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadSettings } from './load-settings.js';
import type { Settings } from './settings.js';

describe('loadSettings', () => {
  let file: string;
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'warden-config-'));
    file = join(directory, 'config.yaml');
  });
  afterAll(() => rm(directory, { recursive: true }));

  const load = async (yaml: string, environment: NodeJS.ProcessEnv = {}): Promise<Settings> => {
    await writeFile(file, yaml);
    return loadSettings({ WARDEN_CONFIG: file, ...environment });
  };

  it('needs no file', async () => {
    const settings = await loadSettings({}, join(directory, 'absent.yaml'));
    expect(settings).toMatchObject({
      mode: 'enforce',
      hostName: hostname(),
      libvirtSocket: '/run/libvirt/libvirt-sock',
      libvirtReadOnlySocket: '/run/libvirt/libvirt-sock-ro',
      proxyReadOnlySocket: '/run/vfio-warden/libvirt-sock-ro',
      networkSocket: undefined,
      retentionDays: 90,
      reconcile: true,
    });
  });

  it('takes the file, and the environment above it', async () => {
    const yaml = 'mode: observe\nretentionDays: 30\nreconcile: false\n';
    const settings = await load(yaml, { WARDEN_RETENTION_DAYS: '7' });
    expect(settings).toMatchObject({ mode: 'observe', retentionDays: 7, reconcile: false });
  });

  it('takes a file of nothing but comments for an empty one', async () => {
    expect(await load('# mode: observe\n\n')).toMatchObject({ mode: 'enforce' });
  });

  it('knows where modular daemons keep the networks', async () => {
    const settings = await load('libvirtSocket: /run/libvirt/virtqemud-sock\n');
    expect(settings).toMatchObject({
      libvirtReadOnlySocket: '/run/libvirt/virtqemud-sock-ro',
      networkSocket: '/run/libvirt/virtnetworkd-sock',
    });
  });

  it('reads DATABASE_URL, but its own variable first', async () => {
    const DATABASE_URL = 'postgres://db/one';
    expect(await load('', { DATABASE_URL })).toMatchObject({ databaseUrl: DATABASE_URL });
    const both = { DATABASE_URL, WARDEN_DATABASE_URL: 'postgres://db/two' };
    expect(await load('', both)).toMatchObject({ databaseUrl: 'postgres://db/two' });
  });

  it.each([
    ['a file that is named and missing', undefined, {}, 'it does not exist'],
    ['an unknown setting', 'mode: off\nretentonDays: 3\n', {}, ':2:1: retentonDays is no field known here'],
    ['a value of the wrong kind', 'retentionDays: 1e3\n', {}, ':1:16: retentionDays has a value'],
    ['a socket mode for everybody', 'proxySocketMode: "0666"\n', {}, 'the mode is the access control'],
    ['a path too long for a socket', `hookSocket: /${'x'.repeat(107)}\n`, {}, ':1:13: hookSocket'],
    ['a proxy that is its own upstream', 'proxySocket: /run/libvirt/libvirt-sock\n', {}, 'the same path'],
    ['a port without tokens', 'listen: 127.0.0.1:8443\n', {}, ':1:9: the API would be open'],
    [
      'a network without TLS',
      'listen: 10.0.0.1:8443\ntokensFile: /etc/tokens.yaml\n',
      {},
      ':1:9: tokens would cross the network in the clear',
    ],
    ['a certificate without its key', 'tlsCertificate: /etc/cert.pem\n', {}, 'only together with tlsKey'],
    ['a bad variable', '', { WARDEN_RETENTION_DAYS: '0' }, 'WARDEN_RETENTION_DAYS: retentionDays must be'],
    ['a bad pair of variables', '', { WARDEN_LISTEN: '[::1]:80' }, 'WARDEN_LISTEN: the API would be open'],
  ])('refuses %s, and says where it is', async (_, yaml, environment, message) => {
    const loaded =
      yaml === undefined
        ? loadSettings({ WARDEN_CONFIG: join(directory, 'absent.yaml') })
        : load(yaml, environment);
    await expect(loaded).rejects.toThrow(message);
  });
});
