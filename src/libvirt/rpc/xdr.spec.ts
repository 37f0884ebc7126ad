import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeError, encodeError, ERROR_CODE, ERROR_DOMAIN, LibvirtError } from './libvirt-error.js';
import { ProtocolError } from './protocol-error.js';
import {
  readDomainRef,
  readNetworkRef,
  readTypedParameter,
  writeDomainRef,
  writeNetworkRef,
  writeTypedParameter,
  type TypedParameter,
} from './types.js';
import { XdrReader } from './xdr-reader.js';
import { XdrWriter } from './xdr-writer.js';

const i32 = () => fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff });
const u32 = () => fc.integer({ min: 0, max: 0xffff_ffff });
const i64 = () => fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const u64 = () => fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const text = () => fc.string({ unit: 'binary' }).filter((value) => !value.includes('\0'));
const uuid = () => fc.uuid();

/** That what was written is read again, whole, and fails with a ProtocolError wherever it is cut short. */
function holdsBothWays<T>(
  values: fc.Arbitrary<T>,
  write: (writer: XdrWriter, value: T) => void,
  read: (reader: XdrReader) => T,
): void {
  fc.assert(
    fc.property(values, (value) => {
      const writer = new XdrWriter();
      write(writer, value);
      const bytes = Buffer.from(writer.finish());
      expect(bytes.length % 4).toBe(0);
      const reader = new XdrReader(bytes);
      expect(read(reader)).toEqual(value);
      reader.end();
      const cut = bytes.subarray(0, bytes.length - 1);
      expect(() => read(new XdrReader(cut))).toThrow(ProtocolError);
    }),
  );
}

describe('XDR', () => {
  it('reads what it has written', () => {
    holdsBothWays(
      u32(),
      (writer, value) => writer.u32(value),
      (reader) => reader.u32(),
    );
    holdsBothWays(
      i32(),
      (writer, value) => writer.i32(value),
      (reader) => reader.i32(),
    );
    holdsBothWays(
      u64(),
      (writer, value) => writer.u64(value),
      (reader) => reader.u64(),
    );
    holdsBothWays(
      i64(),
      (writer, value) => writer.i64(value),
      (reader) => reader.i64(),
    );
    holdsBothWays(
      fc.double(),
      (writer, value) => writer.f64(value),
      (reader) => reader.f64(),
    );
    holdsBothWays(
      fc.boolean(),
      (writer, value) => writer.bool(value),
      (reader) => reader.bool(),
    );
    holdsBothWays(
      text(),
      (writer, value) => writer.string(value),
      (reader) => reader.string(),
    );
    holdsBothWays(
      fc.uint8Array({ maxLength: 1_000 }).map((bytes) => Buffer.from(bytes)),
      (writer, value) => writer.opaque(value, 1_000),
      (reader) => Buffer.from(reader.opaque(1_000)),
    );
    holdsBothWays(
      fc.option(i32(), { nil: undefined }),
      (writer, value) => writer.optional(value, (present) => writer.i32(present)),
      (reader) => reader.optional(() => reader.i32()),
    );
    holdsBothWays(
      fc.array(text(), { maxLength: 20 }),
      (writer, value) => writer.array(value, 20, (element) => writer.string(element)),
      (reader) => reader.array(20, () => reader.string()),
    );
  });

  it('writes a string as RFC 4506 has it', () => {
    const writer = new XdrWriter();
    writer.string('käse');
    expect(writer.finish().toString('hex')).toBe('000000056bc3a47365000000');
  });

  it('takes any padding, and any word but zero for true, as libvirt does', () => {
    expect(new XdrReader(Buffer.from('0000000161ffffff', 'hex')).string()).toBe('a');
    expect(new XdrReader(Buffer.from('00000002', 'hex')).bool()).toBe(true);
  });

  it('says where something is wrong', () => {
    const reader = new XdrReader(Buffer.from('00000001000000ff', 'hex'));
    reader.u32();
    expect(() => reader.string(16)).toThrow(expect.objectContaining({ name: 'ProtocolError', offset: 4 }));
  });

  it('refuses to read a length above the limit before it reads anything of that length', () => {
    const lying = Buffer.from('ffffffff', 'hex');
    expect(() => new XdrReader(lying).string()).toThrow(
      'a length of 4294967295 is above the limit of 4194304',
    );
    expect(() => new XdrReader(lying).opaque(8)).toThrow(ProtocolError);
    expect(() => new XdrReader(lying).array(8, () => 0)).toThrow(ProtocolError);
  });

  it('does not change a string on the way: it refuses one that it could not give back', () => {
    const notUtf8 = Buffer.from('00000002c3280000', 'hex');
    const zeroInside = Buffer.from('0000000361006200', 'hex');
    expect(() => new XdrReader(notUtf8).string()).toThrow('not UTF-8');
    expect(() => new XdrReader(zeroInside).string()).toThrow('zero byte');
    expect(new XdrReader(notUtf8).opaque(8)).toEqual(Buffer.from('c328', 'hex'));
    expect(new XdrReader(notUtf8).text()).toBe('\ufffd(');
    expect(() => new XdrWriter().string('a\0b')).toThrow(ProtocolError);
    expect(() => new XdrWriter().string('\ud800')).toThrow(ProtocolError);
    expect(() => new XdrWriter().string('abc', 2)).toThrow(ProtocolError);
  });

  it('says when something is left over', () => {
    expect(() => new XdrReader(Buffer.alloc(4)).end()).toThrow('4 bytes are left over');
  });
});

describe('libvirt’s types', () => {
  it('keep domains and networks', () => {
    holdsBothWays(fc.record({ name: text(), uuid: uuid(), id: i32() }), writeDomainRef, readDomainRef);
    holdsBothWays(fc.record({ name: text(), uuid: uuid() }), writeNetworkRef, readNetworkRef);
    expect(() => writeNetworkRef(new XdrWriter(), { name: 'n', uuid: 'not a uuid' })).toThrow(ProtocolError);
  });

  it('keep typed parameters, with their order and their values', () => {
    const field = text();
    const parameter: fc.Arbitrary<TypedParameter> = fc.oneof(
      fc.record({ field, type: fc.constant('int' as const), value: i32() }),
      fc.record({ field, type: fc.constant('uint' as const), value: u32() }),
      fc.record({ field, type: fc.constant('llong' as const), value: i64() }),
      fc.record({ field, type: fc.constant('ullong' as const), value: u64() }),
      fc.record({ field, type: fc.constant('double' as const), value: fc.double() }),
      fc.record({ field, type: fc.constant('boolean' as const), value: fc.boolean() }),
      fc.record({ field, type: fc.constant('string' as const), value: text() }),
    );
    holdsBothWays(
      fc.array(parameter, { maxLength: 8 }),
      (writer, list) => writer.array(list, 8, (each) => writeTypedParameter(writer, each)),
      (reader) => reader.array(8, () => readTypedParameter(reader)),
    );
    const unknown = Buffer.from('000000016100000000000063', 'hex');
    expect(() => readTypedParameter(new XdrReader(unknown))).toThrow('99 is no type');
  });

  it('keep errors, those without a text, too', () => {
    const error = new LibvirtError({
      code: ERROR_CODE.hookScriptFailed,
      domain: ERROR_DOMAIN.hook,
      message: 'Hook script execution failed: no',
      str1: '%s',
    });
    expect(decodeError(encodeError(error))).toMatchObject({
      code: 70,
      domain: 34,
      message: error.message,
      level: 2,
      str1: '%s',
      str2: undefined,
      int1: -1,
    });
    expect(decodeError(Buffer.alloc(44)).message).toBe('');
  });
});
