import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { writeDomainRef, writeTypedParameter } from '../rpc/types.js';
import { XdrWriter } from '../rpc/xdr-writer.js';
import { locateXml, replaceXml } from './locate-xml.js';
import { XML_CALLS, type Argument } from './xml-calls.js';

const DOMAIN = { name: 'vm', uuid: '00112233-4455-6677-8899-aabbccddeeff', id: 3 };
const MAX_PARAMETERS = 64;

/** Arguments as a client sends them, with the given texts where XML belongs; a tail stands for what is not read. */
function argumentsOf(call: { arguments: readonly Argument[] }, texts: readonly string[]): Buffer {
  const left = [...texts];
  const writer = new XdrWriter();
  for (const argument of call.arguments) writeArgument(writer, argument, left);
  writer.u64(0xdead_beefn);
  return writer.finish();
}

function writeArgument(writer: XdrWriter, argument: Argument, texts: string[]): void {
  switch (argument.type) {
    case 'domain-ref':
      return writeDomainRef(writer, DOMAIN);
    case 'string':
      return writer.string('/some/path');
    case 'optional-string':
      return writer.optional('tcp://there', (value) => writer.string(value));
    case 'opaque':
      return writer.opaque(Buffer.from('cookie!'), 100);
    case 'u64':
      return writer.u64(7n);
    case 'flags':
      return writer.u32(3);
    case 'xml':
      return writer.string(texts.shift()!);
    case 'optional-xml':
      return writer.optional(texts.shift(), (value) => writer.string(value));
    case 'parameters':
      return writer.array(
        [
          { field: 'bandwidth', type: 'ullong' as const, value: 5n },
          { field: 'disks_port', type: 'int' as const, value: 5 },
          { field: 'migrate_uri', type: 'string' as const, value: 'tcp://there' },
          ...argument.xml.map((field) => ({ field, type: 'string' as const, value: texts.shift()! })),
          { field: 'auto', type: 'boolean' as const, value: true },
        ],
        MAX_PARAMETERS,
        (parameter) => writeTypedParameter(writer, parameter),
      );
  }
}

function places({ arguments: all }: { arguments: readonly Argument[] }): number {
  return all.reduce((sum, argument) => {
    if (argument.type === 'parameters') return sum + argument.xml.length;
    return argument.type.endsWith('xml') ? sum + 1 : sum;
  }, 0);
}

const calls = [...XML_CALLS].map(([procedure, call]) => ({ procedure, call }));

describe('the XML in the arguments of a call', () => {
  it.each(calls)('is found, and can be exchanged, in procedure $procedure', ({ call }) => {
    const xml = fc.string({ unit: 'grapheme', maxLength: 60 }).filter((text) => !text.includes('\0'));
    const texts = fc.array(xml, { minLength: places(call), maxLength: places(call) });
    fc.assert(
      fc.property(texts, texts, (before, after) => {
        const payload = argumentsOf(call, before);
        const located = locateXml(call, payload);
        expect(located.xml.map(({ bytes }) => bytes.toString())).toEqual(before);

        const replaced = replaceXml(payload, new Map(located.xml.map((piece, at) => [piece, after[at]!])));
        expect(replaced).toEqual(argumentsOf(call, after));
      }),
      { numRuns: 30 },
    );
  });

  it.each(calls)('is refused where procedure $procedure is cut short', ({ call }) => {
    const texts = Array.from({ length: places(call) }, () => '<domain/>');
    const payload = argumentsOf(call, texts);
    for (let length = 0; length < payload.length - 8; length += 1) {
      expect(() => locateXml(call, payload.subarray(0, length))).toThrow(/cut short/);
    }
  });

  it('may be absent where it is optional', () => {
    const restore = XML_CALLS.get(233)!;
    expect(locateXml(restore, argumentsOf(restore, [])).xml).toEqual([]);
  });

  it('comes with the domain and the flags of a call about a device', () => {
    const attach = XML_CALLS.get(160)!;
    expect(locateXml(attach, argumentsOf(attach, ['<hostdev/>']))).toMatchObject({
      domain: DOMAIN,
      flags: 3,
    });
  });

  it('is exchanged one by one, and every other byte stays', () => {
    const migrate = XML_CALLS.get(303)!;
    const payload = argumentsOf(migrate, ['<a/>', '<b/>']);
    const [, second] = locateXml(migrate, payload).xml;

    expect(replaceXml(payload, new Map([[second!, '<longer/>']]))).toEqual(
      argumentsOf(migrate, ['<a/>', '<longer/>']),
    );
    expect(replaceXml(payload, new Map())).toEqual(payload);
  });
});
