import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { SERVICE_FLAGS } from '../end-to-end/running-service.js';

const PROGRAM = fileURLToPath(new URL('decisions.ts', import.meta.url));
/** Bytes; the tree of the document alone has 80,000. */
const LEFT_AT_MOST = 15_000;

describe('a decision', () => {
  it(
    'leaves nothing of its document in the old generation: collections of the young one, which decisions wait for, stay short',
    { timeout: 60_000 },
    () => {
      // As the service runs. The garbage of the old generation is left where it is, so that it can be counted.
      const flags = SERVICE_FLAGS.filter((flag) => !flag.startsWith('--heap-growing-percent'));
      const printed = execFileSync('node', [...flags, '--import', 'tsx', PROGRAM], { encoding: 'utf8' });
      expect(Number(printed)).toBeLessThan(LEFT_AT_MOST);
    },
  );
});
