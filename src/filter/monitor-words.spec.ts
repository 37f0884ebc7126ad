import { describe, expect, it } from 'vitest';
import { monitorWords } from './monitor-words.js';

type Objects = Record<string, { type: string; properties: Record<string, string> }>;

/** A monitor as that of QEMU 7.2 with the patches answers, over devices by their path. */
function monitorOf(objects: Objects): (command: string) => Promise<string> {
  return (text) => {
    const { execute, arguments: args } = JSON.parse(text) as {
      execute: string;
      arguments: { path: string; property?: string };
    };
    if (execute === 'qom-list') {
      const children = Object.entries(objects).flatMap(([path, { type }]) => {
        const cut = path.lastIndexOf('/');
        return path.slice(0, cut) === args.path
          ? [{ name: path.slice(cut + 1), type: `child<${type}>` }]
          : [];
      });
      return Promise.resolve(JSON.stringify({ return: [{ name: 'type', type: 'string' }, ...children] }));
    }
    const value = objects[args.path]?.properties[args.property!];
    return Promise.resolve(
      JSON.stringify(
        value === undefined
          ? { error: { class: 'GenericError', desc: `Property 'vfio-pci.${args.property}' not found` } }
          : { return: value },
      ),
    );
  };
}

const filter = { 'x-config-filter': 'block', 'x-config-filter-digest': '3c1a000000000000' };
const NO_HOST = 'ffff:ff:ff.f';

describe("the property's words, by QEMU's monitor", () => {
  it('are told by the function of the host, whatever the device is called, and however it was given', async () => {
    const found = await monitorWords(
      monitorOf({
        '/machine/peripheral/hostdev0': { type: 'vfio-pci', properties: { host: '0000:01:00.0', ...filter } },
        '/machine/peripheral/net0': { type: 'virtio-net-pci', properties: {} },
        '/machine/peripheral-anon/device[0]': {
          type: 'vfio-pci-nohotplug',
          properties: { host: NO_HOST, sysfsdev: '/sys/bus/pci/devices/0000:02:00.0', ...filter },
        },
      }),
    );
    expect(found).toEqual({
      words: new Map([
        ['0000:01:00.0', { mode: 'block', digest: '3c1a000000000000' }],
        ['0000:02:00.0', { mode: 'block', digest: '3c1a000000000000' }],
      ]),
    });
  });

  it('are none for a device that the rules do not speak of, and on a QEMU without the property', async () => {
    const unruled = { ...filter, 'x-config-filter-digest': '' };
    const found = await monitorWords(
      monitorOf({
        '/machine/peripheral/hostdev0': {
          type: 'vfio-pci',
          properties: { host: '0000:01:00.0', ...unruled },
        },
        '/machine/peripheral/hostdev1': { type: 'vfio-pci', properties: { host: '0000:02:00.0' } },
      }),
    );
    expect(found).toEqual({ words: new Map() });
  });

  it('are not known where the monitor does not answer, or not in JSON', async () => {
    expect(await monitorWords(() => Promise.reject(new Error('domain is busy')))).toEqual({
      reason: "QEMU's monitor does not answer: domain is busy",
    });
    expect(await monitorWords(() => Promise.resolve('nonsense'))).toHaveProperty('reason');
    expect(await monitorWords(() => Promise.resolve('null'))).toEqual({ words: new Map() });
  });
});
