import { describe, expect, it } from 'vitest';
import { ERROR_CODE } from '../rpc/libvirt-error.js';
import type { Mode } from '../../policy/policy-terms.js';
import { CallJudge } from './call-judge.js';
import type { LocatedCall } from './locate-xml.js';
import { XML_CALLS } from './xml-calls.js';
import type { XmlJudge } from './xml-judge.js';

const PAYLOAD = Buffer.from('arguments');
const define = (xml: string): LocatedCall => ({
  call: XML_CALLS.get(11)!,
  xml: [{ role: 'domain', bytes: Buffer.from(xml), start: 0, end: PAYLOAD.length }],
});
const WITH_DEVICE = define("<domain><devices><hostdev type='pci'/></devices></domain>");

/** A judge whose decisions fail in a way that nobody expected. */
function broken(failure: 'open' | 'closed', mode: Mode = 'enforce') {
  const told: string[] = [];
  const xml = {
    domain: () => {
      throw new Error('the inventory is gone');
    },
  } as unknown as XmlJudge;
  return {
    told,
    judge: new CallJudge(
      xml,
      failure,
      () => mode,
      (which) => told.push(which),
    ),
  };
}

describe('a call that no decision can be made about', () => {
  it('is refused where the failure mode is closed, with what went wrong', () => {
    const { judge, told } = broken('closed');
    expect(judge.judge(WITH_DEVICE, PAYLOAD)).toEqual({
      action: 'refuse',
      code: ERROR_CODE.operationFailed,
      message:
        'vfio-warden: no decision could be made about define, and the failure mode is closed: the inventory is gone',
    });
    expect(told).toEqual(['closed']);
  });

  it.each([
    ['the failure mode is open', 'open', 'enforce'],
    ['the switch only observes', 'closed', 'observe'],
  ] as const)('passes as it is where %s, and that is told', (_, failure, mode) => {
    const { judge, told } = broken(failure, mode);
    expect(judge.judge(WITH_DEVICE, PAYLOAD)).toEqual({
      action: 'forward',
      payload: PAYLOAD,
      rewritten: false,
    });
    expect(told).toEqual(['open']);
  });

  it('passes where it assigns no device, whatever is broken', () => {
    const { judge, told } = broken('closed');
    expect(judge.judge(define('<domain><name>plain</name></domain>'), PAYLOAD)).toMatchObject({
      action: 'forward',
    });
    expect(told).toEqual([]);
  });
});

describe('the switch of the host', () => {
  it('takes the judge out of the path at off, and lets libvirt itself refuse what cannot be read at observe', () => {
    expect(broken('closed', 'off').judge.active).toBe(false);
    const { judge } = broken('closed', 'observe');
    expect([judge.active, judge.enforcing]).toEqual([true, false]);
    const unreadable = { ...define(''), xml: [{ ...define('').xml[0]!, bytes: Buffer.from([0xff]) }] };
    expect(judge.judge(unreadable, PAYLOAD)).toMatchObject({ action: 'forward' });
    expect(broken('closed').judge.judge(unreadable, PAYLOAD)).toMatchObject({ code: ERROR_CODE.xmlError });
  });
});
