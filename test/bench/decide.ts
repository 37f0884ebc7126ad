import { setFlagsFromString } from 'node:v8';
import type { DecideInput } from '../../src/decision/decide-input.js';
import { decide } from '../../src/decision/decide.js';
import { UNPROBED_HOST } from '../../src/host/host-capabilities.js';
import { formatBdf } from '../../src/pci/bdf.js';
import { gpuConfigSpace, nvmeConfigSpace } from '../../src/pci/config-space/config-space-builder.js';
import { Inventory } from '../../src/pci/inventory.js';
import { forcing } from '../corpus/forced-policy.js';
import { SERVICE_FLAGS } from '../end-to-end/running-service.js';
import { generatedRisks } from '../properties/risks.js';
import { STOCK_QEMU } from '../properties/sample-host.js';
import { assignedDomain, hostBus } from './assigned-domain.js';
import { Baselines, type Times } from './baselines.js';
import { figures, print, remark, type Figures } from './figures.js';

const DEVICES = [1, 4, 16];
const ENTRIES = [400, 100_000];
const WARM_UP = 2_000;
const SAMPLES = 4_000;
const DEFINES = 500;

/** A host of 64 functions, NVMe controllers and GPUs by turns. */
const inventory = Inventory.of(
  Array.from({ length: 64 }, (_, at) => {
    const isGpu = at % 2 === 1;
    return {
      bdf: formatBdf({ domain: 0, bus: hostBus(at), slot: 0, function: 0 }),
      vendor: isGpu ? '10de' : '144d',
      device: isGpu ? '2684' : 'a80a',
      revision: '01',
      class: isGpu ? '030000' : '010802',
      kind: 'pf' as const,
      driver: 'vfio-pci',
      iommuGroup: at,
      resetMethods: ['flr', 'bus'],
      express: true,
      configSize: 4096,
      configSpace: isGpu ? gpuConfigSpace() : nvmeConfigSpace(),
    };
  }),
);

/** Every document is another one, as in a fleet: a domain has its own name and UUID. */
function documents(devices: number): string[] {
  const base = assignedDomain(devices);
  return Array.from({ length: 64 }, (_, at) =>
    base
      .replace('<name>guest</name>', `<name>guest-${at}</name>`)
      .replace('9b7c11</uuid>', `9b7c${String(at).padStart(2, '0')}</uuid>`),
  );
}

function timeDecisions(xmls: readonly string[], basis: Omit<DecideInput, 'xml' | 'evaluatedAt'>): number[] {
  const ms: number[] = [];
  for (let run = 0; run < WARM_UP + SAMPLES; run += 1) {
    const input = {
      ...basis,
      xml: xmls[run % xmls.length]!,
      evaluatedAt: new Date(1_767_225_600_000 + run).toISOString(),
    };
    const startedAt = performance.now();
    const { decision } = decide(input);
    const took = performance.now() - startedAt;
    if (decision.verdict !== 'restricted' || decision.edits.length < 2) {
      throw new Error(`the full path did not run: ${JSON.stringify(decision.devices[0]?.plan.rejected)}`);
    }
    if (run >= WARM_UP) ms.push(took);
  }
  return ms;
}

function printBaseline(name: string, times: Times): Figures | undefined {
  if ('missing' in times) {
    remark(`skipped: ${name}: ${times.missing}`);
    return undefined;
  }
  const measured = figures(times.ms);
  print(`${name.replace('.', '.p99.')}`, measured.p99, 'ms');
  print(`${name.replace('.', '.median.')}`, measured.median, 'ms');
  return measured;
}

/** What a decision with so many devices is held against. */
interface Yardsticks {
  define: Figures | undefined;
  lxml: Figures | undefined;
  /** The same decision with the smallest database. */
  smallest?: Figures;
}

/** `decide()` alone, against what libvirt and an edit in C take for the same document. */
export async function benchDecide(): Promise<void> {
  // As the service runs, but for the size of the young generation, which is settled by now.
  for (const flag of SERVICE_FLAGS) setFlagsFromString(flag);
  const yardsticks = await measureYardsticks();
  const host = { ...UNPROBED_HOST, ...STOCK_QEMU };
  // One database at a time, so that a large one does not lie in the heap of the small one.
  for (const entries of ENTRIES) {
    const basis = {
      inventory,
      host,
      risks: generatedRisks(entries),
      policy: forcing('conventional-bus'),
      domainState: 'new',
      guestHardware: 'may-change',
      ranRestricted: [],
      hostMode: 'enforce',
      hostdevNetworks: [],
    } as const;
    for (const [devices, yardstick] of yardsticks) {
      const measured = figures(timeDecisions(documents(devices), basis));
      const { define, lxml, smallest } = yardstick;
      for (const figure of ['p99', 'median'] as const) {
        const name = `decide.${figure}.devices-${devices}.entries-${entries}`;
        print(name, measured[figure], 'ms');
        if (define) print(name, measured[figure] / define[figure], 'ratio', `libvirt-define.${figure}`);
        if (lxml) print(name, measured[figure] / lxml[figure], 'ratio', `lxml-edit.${figure}`);
        if (smallest) {
          print(name, measured[figure] / smallest[figure], 'ratio', `decide.${figure}.entries-${ENTRIES[0]}`);
        }
      }
      yardstick.smallest ??= measured;
    }
  }
}

async function measureYardsticks(): Promise<Map<number, Yardsticks>> {
  const yardsticks = new Map<number, Yardsticks>();
  const baselines = new Baselines();
  try {
    for (const devices of DEVICES) {
      const xml = assignedDomain(devices);
      yardsticks.set(devices, {
        define: printBaseline(`libvirt-define.devices-${devices}`, await baselines.define(xml, DEFINES)),
        lxml: printBaseline(`lxml-edit.devices-${devices}`, await baselines.lxml(xml, SAMPLES)),
      });
    }
  } finally {
    baselines.close();
  }
  return yardsticks;
}
