import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { parseAuditedAccess, type AuditedAccess } from './audit-record.js';

/** Where the kernel's audit records come out: auditd writes the file; without it they are in the kernel's log. */
export const AUDIT_FILES = { kernelLog: '/dev/kmsg', auditLog: '/var/log/audit/audit.log' };

/** A record of the kernel's log is at most this long (`CONSOLE_EXT_LOG_MAX`). */
const RECORD_BYTES = 8192;
/** Of one look; the rest waits for the next. */
const MAX_RECORDS = 4096;
const MAX_BYTES = 1 << 20;

/** Reads what the kernel has told of accesses to unassigned config space since the last look. */
export class AuditTrail {
  private kernelLog: number | undefined;
  /** Of audit.log: which file it was, and how far it was read. */
  private place: { inode: number; offset: number } | undefined;
  /** By path: why a file could not be opened at the last look. */
  private readonly closed = new Map<string, string>();

  constructor(private readonly files = AUDIT_FILES) {}

  /** Why no record can be seen at all, as of the last look; undefined where one of the files is read. */
  get blind(): string | undefined {
    const files = Object.values(this.files);
    if (files.some((path) => !this.closed.has(path))) return undefined;
    return `neither ${files.map((path) => `${path} (${this.closed.get(path)})`).join(' nor ')} can be read`;
  }

  /** What came since the last call; the first call gives what the kernel's log still holds. */
  take(): AuditedAccess[] {
    return [...this.takeKernelLog(), ...this.takeAuditLog()].flatMap(
      (line) => parseAuditedAccess(line) ?? [],
    );
  }

  close(): void {
    if (this.kernelLog !== undefined) closeSync(this.kernelLog);
    this.kernelLog = undefined;
  }

  private takeKernelLog(): string[] {
    const lines: string[] = [];
    const buffer = Buffer.alloc(RECORD_BYTES);
    try {
      this.kernelLog ??= this.open(this.files.kernelLog);
      while (lines.length < MAX_RECORDS) {
        const length = readRecord(this.kernelLog, buffer);
        if (length === 0) break;
        if (length !== undefined) lines.push(buffer.toString('utf8', 0, length).split('\n', 1)[0]!);
      }
    } catch {
      // Not to be read here, or all was read.
    }
    return lines;
  }

  private takeAuditLog(): string[] {
    let file: number | undefined;
    try {
      file = this.open(this.files.auditLog);
      const { ino, size } = fstatSync(file);
      const known = this.place?.inode === ino && this.place.offset <= size ? this.place.offset : undefined;
      // A log that was there before us tells of the time before us.
      const from = known ?? (this.place ? 0 : size);
      const buffer = Buffer.alloc(Math.min(size - from, MAX_BYTES));
      const text = buffer.toString('utf8', 0, readSync(file, buffer, 0, buffer.length, from));
      const end = text.lastIndexOf('\n') + 1;
      // A line without an end as long as all that is read at a time is none of the kernel's.
      const taken =
        end > 0 || buffer.length < MAX_BYTES ? Buffer.byteLength(text.slice(0, end)) : buffer.length;
      this.place = { inode: ino, offset: from + taken };
      return text.slice(0, end).split('\n');
    } catch {
      return [];
    } finally {
      if (file !== undefined) closeSync(file);
    }
  }

  private open(path: string): number {
    try {
      const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
      this.closed.delete(path);
      return file;
    } catch (error) {
      this.closed.set(path, String((error as NodeJS.ErrnoException).code));
      throw error;
    }
  }
}

/** Undefined for records that were overwritten before they were read: reading goes on behind them. */
function readRecord(file: number, buffer: Buffer): number | undefined {
  try {
    return readSync(file, buffer, 0, buffer.length, null);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EPIPE') return undefined;
    throw error;
  }
}
