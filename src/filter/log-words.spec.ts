import { describe, expect, it } from 'vitest';
import { wordsOfLog } from './log-words.js';

const START =
  '2026-11-26 11:17:13.120+0000: starting up libvirt version: 9.0.0, package: 9.0.0-4+deb12u2, qemu version: 7.2.22';
const ready = (bdf: string, digest = '3c1a000000000000', mode = 'block') =>
  `vfio-warden-filter: ${bdf} ready, mode=${mode} rules=${digest}`;
const wordsIn = (...lines: string[]) => {
  const found = wordsOfLog(lines.join('\n'));
  return 'words' in found ? Object.fromEntries(found.words) : found.reason;
};

describe("the library's words in a domain's log", () => {
  it('are those since the last start', () => {
    expect(
      wordsIn(START, ready('0000:01:00.0'), START, ready('0000:02:00.0', '1'.repeat(16), 'observe')),
    ).toEqual({
      '0000:02:00.0': { mode: 'observe', digest: '1111111111111111' },
    });
    expect(wordsIn(START)).toEqual({});
    expect(wordsIn(ready('0000:01:00.0'))).toMatch(/does not go back to its start/);
  });

  it('say of a device that was opened again what came of that', () => {
    const again = [START, ready('0000:01:00.0'), 'vfio-warden-filter: 0000:01:00.0 refused: no memory'];
    expect(wordsIn(...again)).toEqual({});
    expect(wordsIn(START, ready('0000:01:00.0'), ready('0000:01:00.0', '2'.repeat(16)))).toMatchObject({
      '0000:01:00.0': { digest: '2222222222222222' },
    });
  });

  it('are whole lines: what a guest has QEMU say in the midst of one is none', () => {
    expect(wordsIn(START, `qemu: guest says ${ready('0000:01:00.0')}`, `${ready('0000:01:00.0')} `)).toEqual(
      {},
    );
    expect(wordsIn(START, ready('0000:01:00.0'), `x ${START}`)).toMatchObject({ '0000:01:00.0': {} });
  });
});
