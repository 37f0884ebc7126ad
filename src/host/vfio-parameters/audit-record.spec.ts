import { describe, expect, it } from 'vitest';
import { parseAuditedAccess } from './audit-record.js';

const ACCESS = {
  device: '0000:01:00.1',
  access: 'write',
  offset: 0x298,
  size: 1,
  blocked: true,
  at: 1_795_680_000_123,
};

describe('an audit record of an access to unassigned config space', () => {
  it.each([
    [
      "in the kernel's log, as the RFC writes it",
      '5,1234,5678,-;audit: type=1340 audit(1795680000.123:45): device=0000:01:00.1 access=WRITE offset=0x298 size=1 blocked=1',
    ],
    [
      'in audit.log',
      'type=UNKNOWN[1340] msg=audit(1795680000.123:45): device=0000:01:00.1 access=WRITE offset=0x298 size=1 blocked=1',
    ],
    [
      'as its reviewers asked for',
      'type=VFIO msg=audit(1795680000.123:45): op=write device="0000:01:00.1" offset=0x298 size=1 res=0',
    ],
  ])('is read %s', (_, line) => {
    expect(parseAuditedAccess(line)).toEqual(ACCESS);
  });

  it('tells what was let pass from what was blocked', () => {
    const line = 'type=1340 audit(1.000:1): device=0000:01:00.1 access=READ offset=0x40 size=4 blocked=0';
    expect(parseAuditedAccess(line)).toMatchObject({ access: 'read', blocked: false });
  });

  it.each([
    'type=1300 audit(1.000:1): device=0000:01:00.1 access=READ offset=0x40 size=4 blocked=1',
    'type=1340 audit(1.000:1): device=nonsense access=READ offset=0x40 size=4 blocked=1',
    'type=1340 audit(1.000:1): device=0000:01:00.1 access=READ offset=0x40 size=4',
    '',
  ])('is nothing else: %s', (line) => {
    expect(parseAuditedAccess(line)).toBeUndefined();
  });
});
