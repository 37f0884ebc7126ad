import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { VfioTables } from '../../src/pci/config-space/capability-tables.js';
import type { Device } from './kernel-walk.js';

const SPACE = 4096;
const HEAD = 4;
const HERE = import.meta.dirname;
const FILTER = join(HERE, '..', '..', 'qemu', 'filter');

/** Compiles the filter's own file, as it is, with `filter-walk.c`. */
export function compileFilterWalk(program: string): void {
  const sources = [join(HERE, 'filter-walk.c'), join(FILTER, 'config-layout.c')];
  execFileSync('cc', ['-O2', '-Wall', '-Wextra', `-I${FILTER}`, '-o', program, ...sources]);
}

/** For each device the bytes that the C code takes for assigned, by the tables of a kernel: 1, and 0 for all others. */
export function askFilter(program: string, devices: readonly Device[], tables: VfioTables): Uint8Array[] {
  const request = Buffer.alloc(devices.length * (HEAD + SPACE), 0xff);
  devices.forEach(({ bytes, size }, index) => {
    const at = index * (HEAD + SPACE);
    request.writeUInt16LE(size, at);
    request[at + 2] = tables.expressV2Length;
    request[at + 3] = tables.dvsec === 'hidden' ? 1 : 0;
    request.set(bytes, at + HEAD);
  });
  const { stdout, status, error } = spawnSync(program, {
    input: request,
    maxBuffer: devices.length * SPACE + 1,
    timeout: 60_000,
  });
  if (error) throw error;
  if (status !== 0 || stdout.length !== devices.length * SPACE) {
    throw new Error(`the filter's walk ended with ${status} after ${stdout.length} bytes`);
  }
  return devices.map(({ size }, index) => stdout.subarray(index * SPACE, index * SPACE + size));
}
