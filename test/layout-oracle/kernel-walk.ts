import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { tablesFor } from './kernel-tables.js';
import { CACHE, run, type KernelSource } from './kernel-source.js';

const SPACE = 4096;
const HERE = import.meta.dirname;
const FILTER = join(HERE, '..', '..', 'qemu', 'filter');

/** A config space as hardware has it. */
export interface Device {
  /** What is behind them reads as all-ones. */
  bytes: Uint8Array;
  /** The kernel's `pdev->cfg_size`, 64 to 4,096. */
  size: number;
  /** How many of the bytes our side is given, as by a short file; all of them where it is not said. */
  given?: number;
}

/** What the kernel's code makes of a device. */
export interface KernelAnswer {
  /** `vfio_config_init` failed: the device cannot be opened. */
  refused: boolean;
  /** "PCI config conflict" warnings: capabilities that overlap, or lie on the header. */
  conflicts: number;
  /** Bytes that the kernel wrote behind its map. */
  overrun: number;
  /** Bytes that the filter's C code (`qemu/filter/config-layout.c`) takes for assigned though they are raw. */
  filterDiffering: number;
  /** Bytes that the C code counts as unassigned though they are not: of a placeholder at 0x100 that nothing follows (vfio
   * presents zeros), or behind a vendor-specific capability that is shorter than its header. */
  filterStricter: number;
  /** `pci_config_map`, `size` bytes; all 0xff where refused. */
  map: Uint8Array;
  /** By experiment, if asked: bits of a guest's one-byte write that hardware sees, and what else a write does. */
  writes: { reach: Uint8Array; fate: Uint8Array } | undefined;
}

/** Bits of `fate`, as in `kernel-walk.c`. */
export const FATE = { ACTS: 1, COPIED: 2 } as const;
/** Bits of a request, as in `kernel-walk.c`. */
const REQUEST = { MEASURE: 1, LAST: 2 } as const;

/** Compiles the kernel's file, as it is, with `kernel-walk.c` and `kernel-shim.h`; answers the program's path. */
export function compileWalk(source: KernelSource): string {
  const build = join(CACHE, `build-${source.series}`);
  mkdirSync(join(build, 'linux'), { recursive: true });
  // The headers that the kernel's file names: the shim stands for all of them.
  for (const header of ['fs', 'pci', 'uaccess', 'vfio', 'slab'])
    writeFileSync(join(build, 'linux', `${header}.h`), '');
  writeFileSync(join(build, 'vfio_pci_priv.h'), '#include "kernel-shim.h"\n');
  const program = join(build, 'kernel-walk');
  const includes = [build, HERE, FILTER, source.uapi].map((path) => `-I${path}`);
  const ours = [join(HERE, 'kernel-walk.c'), join(FILTER, 'config-layout.c')];
  const dvsec = tablesFor(source.series).dvsec === 'hidden' ? 'DVSEC_HIDDEN' : 'DVSEC_SHOWN';
  run('gcc', ['-O2', '-w', `-DDVSEC=${dvsec}`, ...includes, '-o', program, ...ours, source.configC]);
  return program;
}

/** A running walk: config spaces in, maps out, in bulk. */
export class KernelWalk {
  private readonly child: ChildProcessByStdio<Writable, Readable, null>;
  private readonly output: AsyncIterator<Buffer>;
  private pending: Buffer = Buffer.alloc(0);

  constructor(program: string) {
    this.child = spawn(program, [], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.child.stdin.on('error', () => undefined); // the program's end is noticed where its output ends
    this.output = this.child.stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  /**
   * Answers in the order of the devices.
   *
   * @param measure whether to try writes on each byte
   * @throws Error if the program dies
   */
  async ask(devices: readonly Device[], measure: boolean): Promise<KernelAnswer[]> {
    const request = Buffer.alloc(devices.length * (4 + SPACE), 0xff);
    devices.forEach(({ bytes, size }, index) => {
      const at = index * (4 + SPACE);
      const last = index === devices.length - 1 ? REQUEST.LAST : 0;
      request.writeUInt16LE(size, at);
      request.writeUInt16LE((measure ? REQUEST.MEASURE : 0) | last, at + 2);
      request.set(bytes, at + 4);
    });
    this.child.stdin.write(request);
    const answers: KernelAnswer[] = [];
    for (const { size } of devices) answers.push(await this.takeAnswer(size));
    return answers;
  }

  async end(): Promise<void> {
    const exited = once(this.child, 'exit');
    this.child.stdin.end();
    await exited;
  }

  private async takeAnswer(size: number): Promise<KernelAnswer> {
    const head = await this.take(24);
    const map = (await this.take(SPACE)).subarray(0, size);
    const measured = head.readUInt32LE(12) !== 0;
    const writes = measured
      ? {
          reach: (await this.take(SPACE)).subarray(0, size),
          fate: (await this.take(SPACE)).subarray(0, size),
        }
      : undefined;
    return {
      refused: head.readInt32LE(0) !== 0,
      conflicts: head.readUInt32LE(4),
      overrun: head.readUInt32LE(8),
      filterDiffering: head.readUInt32LE(16),
      filterStricter: head.readUInt32LE(20),
      map,
      writes,
    };
  }

  private async take(bytes: number): Promise<Buffer> {
    while (this.pending.length < bytes) {
      const { value, done } = await this.output.next();
      if (done) throw new Error('the kernel walk ended before it had answered');
      this.pending = this.pending.length === 0 ? value : Buffer.concat([this.pending, value]);
    }
    const taken = this.pending.subarray(0, bytes);
    this.pending = this.pending.subarray(bytes);
    return taken;
  }
}
