/** An access to unassigned config space, as a kernel with the RFC's audit tells it (record type AUDIT_VFIO, 1340). */
export interface AuditedAccess {
  /** BDF. */
  device: string;
  access: 'read' | 'write';
  /** In bytes. */
  offset: number;
  /** In bytes. */
  size: number;
  blocked: boolean;
  /** Milliseconds since 1970. */
  at: number;
}

/** As auditd writes the type, with a name where it knows one; `type=1340` in the kernel's log. */
const RECORD = /\btype=(?:1340|VFIO|UNKNOWN\[1340\])\s.*?audit\((\d{1,12})\.(\d{3}):\d+\):\s*(.*)$/;

/**
 * Reads a line of the kernel's log or of audit.log. The RFC's fields are `device= access=WRITE offset= size= blocked=`; its
 * reviewers asked for lower case, and for `op=` and `res=` (0 or `failed` for what was blocked), so these are taken, too.
 *
 * @returns undefined for any other line
 */
export function parseAuditedAccess(line: string): AuditedAccess | undefined {
  const [, seconds, milliseconds, fields] = RECORD.exec(line) ?? [];
  if (fields === undefined) return undefined;
  const values = new Map(
    [...fields.matchAll(/(\w+)="?([^\s"]+)"?/g)].map(([, name, value]) => [name!, value!.toLowerCase()]),
  );
  const device = values.get('device');
  const access = values.get('access') ?? values.get('op');
  const offset = Number(values.get('offset'));
  const size = Number(values.get('size'));
  const blocked = values.get('blocked') ?? { 0: '1', failed: '1', 1: '0', success: '0' }[values.get('res')!];
  if (device === undefined || !/^[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$/.test(device))
    return undefined;
  if (access !== 'read' && access !== 'write') return undefined;
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(size)) return undefined;
  if (blocked !== '0' && blocked !== '1') return undefined;
  return {
    device,
    access,
    offset,
    size,
    blocked: blocked === '1',
    at: Number(seconds) * 1000 + Number(milliseconds),
  };
}
