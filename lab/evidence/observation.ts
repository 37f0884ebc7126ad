import type { CoverageRow } from '../../src/mitigation/coverage.js';
import type { MechanismColumn } from '../../src/mitigation/mechanism.js';

/** What an attempt was made for: a row of the table, what must always arrive, or the control around each batch. */
export type Subject = CoverageRow | 'legitimate' | 'control';

/** The columns of the table, and a domain that nothing restricts. */
export type Column = MechanismColumn | 'none';

/** One attempt of a guest, seen at three points. */
export interface Observation {
  subject: Subject;
  column: Column;
  device: string;
  what: string;
  part: 'legacy' | 'extended';
  /** Whether the guest could name the bytes at all: where not, nothing was sent. */
  sent: boolean;
  /** What the guest read afterwards, unsigned. */
  readBack: number | undefined;
  /** Whether QEMU passed a write to vfio; undefined where the attempt is not one to config space. */
  passedByQemu: boolean | undefined;
  /** Whether the hardware saw it. */
  arrived: boolean;
}
