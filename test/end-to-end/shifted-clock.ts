import { existsSync, writeFileSync } from 'node:fs';

const FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1';

/**
 * A clock for programs that is the system's with an offset (libfaketime, which the programs know nothing of); what is measured
 * by the monotonic clock goes on as it does.
 */
export class ShiftedClock {
  /** @param file that keeps the offset */
  constructor(private readonly file: string) {
    this.setDays(0);
  }

  /** Sets it to so many days from now, within a second. */
  setDays(days: number): void {
    writeFileSync(this.file, `${days < 0 ? '' : '+'}${days}d\n`);
  }

  /** What is put before a command that is to have this clock. */
  get launcher(): string[] {
    return [
      '/usr/bin/env',
      `LD_PRELOAD=${FAKETIME}`,
      `FAKETIME_TIMESTAMP_FILE=${this.file}`,
      'FAKETIME_CACHE_DURATION=1',
      'FAKETIME_DONT_FAKE_MONOTONIC=1',
    ];
  }
}

/** Why there can be no such clock here; undefined where there can. */
export function shiftedClockMissing(): string | undefined {
  return existsSync(FAKETIME) ? undefined : 'libfaketime is not installed';
}
