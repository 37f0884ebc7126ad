import type { VfioTables } from '../../src/pci/config-space/capability-tables.js';
import { ECAP, MAP } from '../../src/pci/config-space/capability-tables.js';
import { layoutOf, type ConfigSpaceLayout } from '../../src/pci/config-space/layout.js';
import { askFilter } from './filter-walk.js';
import { Random } from './random.js';
import { wellFormedSpace } from './well-formed-spaces.js';

const BATCH = 500;
const EXAMPLES = 3;

/** What the layout in TypeScript and the one of the filter, in C, say of the same config spaces. */
export interface Agreement {
  spaces: number;
  /** Bytes that both were asked about. */
  compared: number;
  /** Bytes that one takes for assigned and the other for unassigned. */
  differing: number;
  /** Spaces of which vfio does not present what would tell: bytes that only C takes for unassigned there, or for assigned. */
  broken: { spaces: number; stricter: number; laxer: number };
  examples: string[];
}

/** Compares well-formed spaces, the same ones for the same seed. */
export function filterAgreement(
  program: string,
  { tables, seed, spaces }: { tables: VfioTables; seed: number; spaces: number },
): Agreement {
  const random = new Random(seed);
  const found: Agreement = {
    spaces: 0,
    compared: 0,
    differing: 0,
    broken: { spaces: 0, stricter: 0, laxer: 0 },
    examples: [],
  };
  while (found.spaces < spaces) {
    const devices = Array.from({ length: BATCH }, () => wellFormedSpace(random));
    const answers = askFilter(program, devices, tables);
    for (const [index, { bytes, size }] of devices.entries()) {
      const layout = layoutOf(bytes, { configSize: size, tables });
      // Capabilities came to overlap, or the device cannot be opened.
      if (layout.refused !== undefined || layout.anomalies.length > 0) continue;
      if (found.spaces < spaces) add(found, layout, answers[index]!);
    }
  }
  return found;
}

function add(found: Agreement, layout: ConfigSpaceLayout, assigned: Uint8Array): void {
  const broken = cannotBeTold(layout);
  found.spaces += 1;
  found.compared += layout.size;
  if (broken) found.broken.spaces += 1;
  for (let offset = 0; offset < layout.size; offset++) {
    const ours = layout.kernelMap[offset] !== MAP.UNASSIGNED;
    const filters = assigned[offset] === 1;
    if (ours === filters) continue;
    if (broken) found.broken[ours ? 'stricter' : 'laxer'] += 1;
    else {
      found.differing += 1;
      if (found.examples.length < EXAMPLES) {
        found.examples.push(`at 0x${offset.toString(16)}: C says ${filters ? 'assigned' : 'unassigned'}`);
      }
    }
  }
}

/**
 * A vendor-specific capability that is shorter than its own header: behind it C trusts no pointer, and TypeScript follows the kernel
 * (of a length of 0 vfio says nothing, and hides it). Or an id of 0xff, at which the kernel's search for the PCI Express
 * capability ends (`pci_find_capability`), so that it takes the capability's length for another one; vfio hides the id.
 */
function cannotBeTold({ capabilities, hidden }: ConfigSpaceLayout): boolean {
  return [...capabilities, ...hidden].some(({ extended, id, length }) =>
    extended ? (id === ECAP.VNDR || id === ECAP.DVSEC) && (length ?? 0) < 4 : id === 0xff,
  );
}
