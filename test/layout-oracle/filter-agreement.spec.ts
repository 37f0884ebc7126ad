import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TABLES_6_1, TABLES_7_2 } from '../../src/pci/config-space/capability-tables.js';
import { filterAgreement } from './filter-agreement.js';
import { compileFilterWalk } from './filter-walk.js';

/** `npm run filter-agreement` takes 60,000. */
const SPACES = 500;

describe('the layout of the filter, in C, and the one that rules are made of', () => {
  const folder = mkdtempSync(join(tmpdir(), 'filter-walk-'));
  const program = join(folder, 'filter-walk');
  beforeAll(() => compileFilterWalk(program), 60_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each([
    ['Linux 6.1', TABLES_6_1],
    ['Linux 6.12 and later', TABLES_7_2],
  ])(
    'say the same of each byte by the tables of %s',
    (_, tables) => {
      const found = filterAgreement(program, { tables, seed: 11, spaces: SPACES });

      expect(found.examples).toEqual([]);
      expect(found).toMatchObject({ spaces: SPACES, differing: 0 });
      // Where a pointer cannot be trusted the filter closes more than the kernel would call unassigned, and never less.
      expect(found.broken.laxer).toBe(0);
    },
    60_000,
  );
});
