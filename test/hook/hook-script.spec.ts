import { mkdir, rm, symlink } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSocketServer, type Server } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { mayAssign } from '../../src/libvirt/hook/may-assign.js';
import { domain, hostdev } from '../fixtures/scenario.js';
import { HOOK, HookHost, type Outcome } from './hook-host.js';

const PLAIN = domain("<interface type='network'><source network='default'/></interface>");
const ASSIGNED = domain(hostdev('0000:81:00.0'));

let host: HookHost;
let service: Server | undefined;
/** Where the hook finds commands; all of them by default. */
let path: string | undefined;

/** The hook asks by Perl where there is one. */
const CLIENTS = [
  ['Perl', ['perl', 'cat']],
  ['curl', ['curl', 'cat']],
] as const;

/** Lets the hook find these commands only. */
async function offerOnly(commands: readonly string[]): Promise<void> {
  path = `${host.directory}/${commands[0]}-only`;
  await mkdir(path, { recursive: true });
  for (const command of commands) {
    const link = `${path}/${command}`;
    await rm(link, { force: true });
    await symlink(`/usr/bin/${command}`, link);
  }
}

beforeAll(async () => {
  host = await HookHost.start();
});
afterAll(() => host.stop());
beforeEach(() => host.configure({}));
afterEach(async () => {
  service?.close();
  service = undefined;
  await rm(host.socket, { force: true });
});

function hook(
  operation: string,
  xml: string | Buffer,
  suboperation = 'begin',
  name = 'vm',
): Promise<Outcome> {
  const call = [HOOK, name, operation, suboperation, '-'];
  return host.run('env', path === undefined ? call : [`PATH=${path}`, ...call], xml);
}

/** A service that answers every call in the same way; returns the bodies that it was sent. */
async function answering(status: number, body: string | ((sent: string) => string)): Promise<string[]> {
  const bodies: string[] = [];
  await listen(
    createServer((request: IncomingMessage, response: ServerResponse) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const sent = Buffer.concat(chunks).toString();
        bodies.push(`${request.method} ${request.url} ${sent}`);
        response.writeHead(status).end(typeof body === 'string' ? body : body(sent));
      });
    }),
  );
  return bodies;
}

async function listen(server: Server): Promise<void> {
  service = server;
  await new Promise<void>((resolve) => server.listen(host.socket, resolve));
}

describe('a phase that the hook has no say in', () => {
  const phases = [
    ['reconnect', 'begin'],
    ['stopped', 'end'],
    ['release', 'end'],
    ['started', 'begin'],
    ['attach', 'begin'],
    ['prepare', 'end'],
    ['', ''],
  ];
  it.each(phases)('is left alone at once: %s %s', async (operation, suboperation) => {
    const asked = await answering(403, 'no');
    expect(await hook(operation!, ASSIGNED, suboperation)).toMatchObject({
      status: 0,
      stdout: '',
      stderr: '',
    });
    expect(asked).toEqual([]);
  });

  it('is left alone when the hook gets no arguments at all', async () => {
    expect(await host.run(HOOK, [])).toMatchObject({ status: 0, stderr: '' });
  });
});

describe.each(CLIENTS)('by %s, a domain with an assigned device', (_, commands) => {
  beforeEach(() => offerOnly(commands));
  afterEach(() => {
    path = undefined;
  });

  it.each(['prepare', 'start'])('goes on at %s when the service lets it', async (operation) => {
    const asked = await answering(200, '');
    expect(await hook(operation, ASSIGNED)).toMatchObject({ status: 0, stdout: '', stderr: '' });
    expect(asked).toEqual([`POST /${operation} ${ASSIGNED}\n`]);
  });

  it('is stopped with the reason that the service gives', async () => {
    await answering(403, 'vfio-warden: policy refuses $(touch /tmp/x) `this` \\n %s');
    expect(await hook('prepare', ASSIGNED)).toMatchObject({
      status: 1,
      stdout: '',
      stderr: 'vfio-warden: policy refuses $(touch /tmp/x) `this` \\n %s\n',
    });
  });

  it('is stopped when nobody answers, and told why and what to do', async () => {
    const { status, stderr } = await hook('start', ASSIGNED);
    expect(status).toBe(1);
    expect(stderr).toContain(`no answer from ${host.socket}`);
    expect(stderr).toContain('FAILURE=open in /etc/vfio-warden/hook.conf');
  });

  it('goes on when nobody answers where the host fails open', async () => {
    await host.configure({ FAILURE: 'open' });
    expect(await hook('prepare', ASSIGNED)).toMatchObject({ status: 0, stderr: '' });
  });

  it('is not let go by a misspelled failure mode', async () => {
    await host.configure({ FAILURE: 'opne' });
    expect((await hook('prepare', ASSIGNED)).status).toBe(1);
  });

  it.each([
    ['off', 0, 0],
    ['observe', 0, 1],
    ['enforce', 1, 1],
  ])('with the switch at %s ends with %i when the service fails', async (mode, status, calls) => {
    const asked = await answering(500, 'broken');
    await host.write(`${host.directory}/mode`, `${mode}\n`);
    await host.configure({ MODE_FILE: `${host.directory}/mode` });
    expect((await hook('prepare', ASSIGNED)).status).toBe(status);
    expect(asked).toHaveLength(calls);
  });

  it('waits two seconds for a service that takes the call and never answers', async () => {
    await listen(createSocketServer((socket) => socket.on('error', () => {}).resume()));
    const { status, milliseconds } = await hook('prepare', ASSIGNED);
    expect(status).toBe(1);
    expect(milliseconds).toBeGreaterThan(1900);
    expect(milliseconds).toBeLessThan(2500);
  });

  it.each([
    ['closes at once', ''],
    ['speaks something else', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['breaks off', 'HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n<domain>'],
    ['redirects', 'HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n'],
    ['sends a code that ends like a veto', 'HTTP/1.1 500 x\r\ncontent-length: 3\r\n\r\n403'],
  ])('is stopped by a service that %s', async (_what, answer) => {
    await listen(createSocketServer((socket) => socket.on('error', () => {}).end(answer)));
    const { status, stdout, stderr } = await hook('restore', ASSIGNED);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain('no decision about this domain');
  });
});

describe('what libvirt writes of an assigned device', () => {
  const argument = (value: string) =>
    domain('', 'q35', `<qemu:commandline><qemu:arg value='${value}'/></qemu:commandline>`);
  it.each([
    [
      'a mediated device',
      domain("<hostdev mode='subsystem' type='mdev' managed='no' model='vfio-pci'></hostdev>"),
    ],
    ['an interface', domain("<interface type='hostdev' managed='yes'><source/></interface>")],
    ['an NVMe drive', domain("<disk type='nvme' device='disk'><source type='pci'/></disk>")],
    ['an NVMe drive beneath an image', domain("<disk type='file'><backingStore type='nvme'/></disk>")],
    ['an argument', argument('vfio-pci,host=81:00.0')],
    ['an argument in JSON', argument('{&quot;driver&quot;:&quot;vfio-pci&quot;}')],
    ['a block device', argument('{&quot;driver&quot;:&quot;nvme&quot;}')],
    ['a file with more arguments', argument('-readconfig')],
    [
      'a property',
      domain('', 'q35', "<qemu:override><qemu:property name='host' value='x'/></qemu:override>"),
    ],
  ])('is recognised without the service: %s', async (_, xml) => {
    expect((await hook('prepare', xml)).status).toBe(1);
    expect(mayAssign(xml)).toBe(true);
    const asked = await answering(200, '');
    expect((await hook('prepare', xml)).status).toBe(0);
    expect(asked).toHaveLength(1);
  });
});

describe('a domain without assigned devices', () => {
  it.each(['prepare', 'start', 'migrate', 'restore'])(
    'goes on at %s with the service dead',
    async (operation) => {
      expect(await hook(operation, PLAIN)).toMatchObject({ status: 0, stdout: '', stderr: '' });
    },
  );

  it('is not asked about at its start', async () => {
    const asked = await answering(403, 'no');
    expect((await hook('prepare', PLAIN)).status).toBe(0);
    expect(asked).toEqual([]);
  });

  it.each([
    ['a USB device', domain("<hostdev mode='subsystem' type='usb' managed='yes'><source/></hostdev>")],
    ['the word in its name', PLAIN.replace('>vm<', '>hostdev<')],
    ['a disk on an NVMe drive', domain("<disk type='block'><source dev='/dev/nvme0n1'/></disk>")],
    [
      'harmless QEMU arguments',
      domain('', 'q35', "<qemu:commandline><qemu:arg value='-s'/></qemu:commandline>"),
    ],
  ])('goes on with the service dead, too, with %s', async (_, xml) => {
    expect(mayAssign(xml)).toBe(false);
    expect((await hook('prepare', xml)).status).toBe(0);
  });
});

describe.each(CLIENTS)('by %s, a domain that comes in', (_, commands) => {
  beforeEach(() => offerOnly(commands));
  afterEach(() => {
    path = undefined;
  });

  it.each(['migrate', 'restore'])('is replaced at %s by what the service answers', async (operation) => {
    await answering(200, (sent) => sent.trim().replace('<name>vm', '<name>é %s \\t $HOME `id`'));
    expect(await hook(operation, PLAIN)).toMatchObject({
      status: 0,
      stdout: `${PLAIN.replace('<name>vm', '<name>é %s \\t $HOME `id`')}\n`,
    });
  });

  it('stays as it is when the service has nothing to change', async () => {
    await answering(200, '');
    expect(await hook('migrate', ASSIGNED)).toMatchObject({ status: 0, stdout: '' });
  });

  it('is never replaced by what is no domain', async () => {
    await answering(200, '<html>404</html>');
    expect(await hook('restore', PLAIN)).toMatchObject({ status: 0, stdout: '' });
    expect(await hook('restore', ASSIGNED)).toMatchObject({ status: 1, stdout: '' });
  });
});

describe.each(CLIENTS)('by %s, hostile input', (_, commands) => {
  beforeEach(() => offerOnly(commands));
  afterEach(() => {
    path = undefined;
  });

  it('is no command, whatever a domain is called', async () => {
    const asked = await answering(200, '');
    for (const name of ['-K/etc/passwd', '$(touch /tmp/x)', 'a b;`c`', '"\'\r\nX: y', '../..']) {
      expect(await hook('prepare', ASSIGNED, 'begin', name)).toMatchObject({
        status: 0,
        stdout: '',
        stderr: '',
      });
    }
    expect(asked).toHaveLength(5);
  });

  it('is passed on byte for byte: quotes, backslashes, heredoc marks', async () => {
    const xml = `${ASSIGNED}<!-- XML\nXML\n\tXML\n$PATH \\\\ \\n ' " \` é -->`;
    const asked = await answering(200, '');
    await hook('start', xml);
    expect(asked).toEqual([`POST /start ${xml}\n`]);
  });

  it('of 4 MiB is dealt with inside the time limit, replaced or not', async () => {
    const large = `${ASSIGNED}<!--${'<qemu:arg value="x"/>'.repeat(200_000)}-->`;
    await answering(200, (sent) => sent.trim());
    const { stdout, milliseconds } = await hook('restore', large);
    expect(stdout).toBe(`${large}\n`);
    expect(milliseconds).toBeLessThan(2500);
  });

  it('of 4 MiB does not hold up the failure mode either', async () => {
    const large = domain('', 'q35', "<qemu:arg value='x'/>".repeat(200_000));
    const { status, milliseconds } = await hook('prepare', large);
    expect(status).toBe(0);
    expect(milliseconds).toBeLessThan(2000);
  });

  it('has no say through a configuration that looks like shell', async () => {
    await host.write('/etc/vfio-warden/hook.conf', 'FAILURE=$(echo open)\ntouch /run/hacked\nSOCKET\n=\n');
    expect((await hook('prepare', ASSIGNED)).status).toBe(1);
    expect((await host.run('ls', ['/run/hacked'])).status).not.toBe(0);
  });
});
