import { askProgram } from './ask-program.js';
import type { Probe } from './host-capabilities.js';

/** QEMU answers `help` in some 50 ms; of a binary that does not answer in this time nothing is known. */
const TIMEOUT_MS = 10_000;
const MAX_OUTPUT_BYTES = 4 * 1024 * 1024;

export interface QemuFacts {
  qemuVersion?: string;
  defaultMachine?: string;
  qemuDevices?: string[];
  property: Probe;
}

/** Asks an emulator what it is and what it has. Nothing is started: each question is one `help` option. */
export async function probeQemu(binary: string, timeoutMs = TIMEOUT_MS): Promise<QemuFacts> {
  const limits = { timeoutMs, maxBytes: MAX_OUTPUT_BYTES };
  const ask = async (...args: string[]) => (await askProgram(binary, args, limits)).stdout;
  try {
    const [version, machines, devices, vfioPci] = await Promise.all([
      ask('-version'),
      ask('-machine', 'help'),
      ask('-device', 'help'),
      ask('-device', 'vfio-pci,help'),
    ]);
    const machine = defaultMachine(machines);
    return {
      qemuVersion: version.split('\n')[0]!.trim(),
      ...(machine !== undefined && { defaultMachine: machine }),
      qemuDevices: [...devices.matchAll(/^name "([^"]+)"/gm)].map((match) => match[1]!).toSorted(),
      property: filterProperty(vfioPci),
    };
  } catch (error) {
    const detail = `${binary} could not be asked: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`;
    return { property: { state: 'unknown', detail } };
  }
}

/** The alias of the default machine, as libvirt takes it: `pc` rather than `pc-i440fx-7.2`. */
export function defaultMachine(machineHelp: string): string | undefined {
  const lines = machineHelp.split('\n');
  const chosen = lines.find((line) => line.includes('(default)'))?.split(/\s+/)[0];
  const alias = lines.find((line) => chosen && line.includes(`(alias of ${chosen})`))?.split(/\s+/)[0];
  return alias ?? chosen;
}

function filterProperty(vfioPciHelp: string): Probe {
  const has = (name: string) => new RegExp(`^\\s*${name}=`, 'm').test(vfioPciHelp);
  return has('x-config-filter') && has('x-config-filter-rules')
    ? { state: 'ready', detail: 'this QEMU has x-config-filter and x-config-filter-rules' }
    : { state: 'absent', detail: 'this QEMU has no option to filter config accesses of vfio-pci' };
}
