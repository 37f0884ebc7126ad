import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TABLES_6_1, TABLES_7_2 } from '../../src/pci/config-space/capability-tables.js';
import { filterAgreement } from './filter-agreement.js';
import { compileFilterWalk } from './filter-walk.js';

const SPACES = 60_000;
const SEED = 20250426;

/** Holds the filter's layout against the one in TypeScript; the kernel is not asked, as it is by `npm run layout-oracle`. */
const folder = mkdtempSync(join(tmpdir(), 'filter-walk-'));
try {
  const program = join(folder, 'filter-walk');
  compileFilterWalk(program);
  for (const [name, tables] of Object.entries({ 'Linux 6.1': TABLES_6_1, 'Linux 6.12': TABLES_7_2 })) {
    const { spaces, compared, differing, broken, examples } = filterAgreement(program, {
      tables,
      seed: SEED,
      spaces: SPACES,
    });
    console.log(
      `filter-agreement, tables of ${name}: ${spaces} well-formed spaces, ${compared} bytes compared, ${differing} differ`,
    );
    for (const example of examples) console.log(`  ${example}`);
    console.log(
      `  and ${broken.spaces} of the spaces are ones of which vfio does not present what would tell: there C takes ` +
        `${broken.stricter} bytes more for unassigned, and ${broken.laxer} fewer`,
    );
    if (differing > 0 || broken.laxer > 0) process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true });
}
