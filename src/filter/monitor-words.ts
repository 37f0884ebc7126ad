import type { FilterWord, FilterWords } from './filter-words.js';

/** Where QEMU has the devices that were given an id, and those that were not. */
const CONTAINERS = ['/machine/peripheral', '/machine/peripheral-anon'];
/** Devices of one VM that are asked about; libvirt gives no more than some hundred. */
const MAX_DEVICES = 512;

/** Sends one command of QMP, as JSON, and gives QEMU's answer, as JSON. */
export type AskMonitor = (command: string) => Promise<string>;

/** What the property of a patched QEMU says of each function that is assigned to the guest. */
export async function monitorWords(ask: AskMonitor): Promise<FilterWords> {
  try {
    const words = new Map<string, FilterWord>();
    for (const container of CONTAINERS) {
      for (const { name, type } of await children(ask, container)) {
        if (!/^child<vfio-pci(-nohotplug)?>$/.test(type) || words.size >= MAX_DEVICES) continue;
        const path = `${container}/${name}`;
        const bdf = hostOf(await property(ask, path, 'host'), await property(ask, path, 'sysfsdev'));
        const mode = await property(ask, path, 'x-config-filter');
        const digest = await property(ask, path, 'x-config-filter-digest');
        if (bdf !== undefined && mode !== undefined && digest) words.set(bdf, { mode, digest });
      }
    }
    return { words };
  } catch (error) {
    return { reason: `QEMU's monitor does not answer: ${(error as Error).message.slice(0, 200)}` };
  }
}

async function children(ask: AskMonitor, path: string): Promise<{ name: string; type: string }[]> {
  const answer = await send(ask, 'qom-list', { path });
  if (!Array.isArray(answer)) return [];
  return answer.filter(
    (child): child is { name: string; type: string } =>
      typeof (child as { name?: unknown }).name === 'string' &&
      typeof (child as { type?: unknown }).type === 'string',
  );
}

async function property(ask: AskMonitor, path: string, name: string): Promise<string | undefined> {
  const answer = await send(ask, 'qom-get', { path, property: name });
  return typeof answer === 'string' ? answer : undefined;
}

/** What QEMU returns; undefined where it answers with an error, such as that there is no such property. */
async function send(
  ask: AskMonitor,
  execute: string,
  args: Readonly<Record<string, string>>,
): Promise<unknown> {
  const answer = JSON.parse(await ask(JSON.stringify({ execute, arguments: args }))) as {
    return?: unknown;
  } | null;
  return answer?.return;
}

/** Where the device was given by `sysfsdev`, `host` reads as `ffff:ff:ff.f`. */
function hostOf(host: string | undefined, sysfsdev: string | undefined): string | undefined {
  const given = sysfsdev ? sysfsdev.slice(sysfsdev.lastIndexOf('/') + 1) : host;
  return given !== undefined && /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/.test(given)
    ? given
    : undefined;
}
