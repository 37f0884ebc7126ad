import { ProtocolError } from './protocol-error.js';
import type { XdrReader } from './xdr-reader.js';
import type { XdrWriter } from './xdr-writer.js';

const UUID_BYTES = 16;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** `remote_nonnull_domain` */
export interface DomainRef {
  name: string;
  /** 36 characters, lower case. */
  uuid: string;
  /** -1 while the domain does not run. */
  id: number;
}

/** `remote_nonnull_network` */
export interface NetworkRef {
  name: string;
  uuid: string;
}

/** `remote_typed_param` */
export type TypedParameter = { field: string } & (
  | { type: 'int' | 'uint' | 'double'; value: number }
  | { type: 'llong' | 'ullong'; value: bigint }
  | { type: 'boolean'; value: boolean }
  | { type: 'string'; value: string }
);

/** `virTypedParameterType` */
const PARAMETER_TYPE = { int: 1, uint: 2, llong: 3, ullong: 4, double: 5, boolean: 6, string: 7 } as const;

export function readUuid(reader: XdrReader): string {
  const hex = reader.fixedOpaque(UUID_BYTES).toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** @throws ProtocolError where it is no UUID of 36 characters */
export function writeUuid(writer: XdrWriter, uuid: string): void {
  if (!UUID.test(uuid)) throw new ProtocolError('a UUID is 32 hexadecimal digits in five groups');
  writer.fixedOpaque(Buffer.from(uuid.replaceAll('-', ''), 'hex'));
}

export function readDomainRef(reader: XdrReader): DomainRef {
  return { name: reader.string(), uuid: readUuid(reader), id: reader.i32() };
}

export function writeDomainRef(writer: XdrWriter, { name, uuid, id }: DomainRef): void {
  writer.string(name);
  writeUuid(writer, uuid);
  writer.i32(id);
}

export function readNetworkRef(reader: XdrReader): NetworkRef {
  return { name: reader.string(), uuid: readUuid(reader) };
}

export function writeNetworkRef(writer: XdrWriter, { name, uuid }: NetworkRef): void {
  writer.string(name);
  writeUuid(writer, uuid);
}

export function readTypedParameter(reader: XdrReader): TypedParameter {
  const field = reader.string();
  const start = reader.offset;
  const type = reader.i32();
  switch (type) {
    case PARAMETER_TYPE.int:
      return { field, type: 'int', value: reader.i32() };
    case PARAMETER_TYPE.uint:
      return { field, type: 'uint', value: reader.u32() };
    case PARAMETER_TYPE.llong:
      return { field, type: 'llong', value: reader.i64() };
    case PARAMETER_TYPE.ullong:
      return { field, type: 'ullong', value: reader.u64() };
    case PARAMETER_TYPE.double:
      return { field, type: 'double', value: reader.f64() };
    case PARAMETER_TYPE.boolean:
      return { field, type: 'boolean', value: reader.bool() };
    case PARAMETER_TYPE.string:
      return { field, type: 'string', value: reader.string() };
    default:
      return reader.refuse(`${type} is no type of a typed parameter`, start);
  }
}

export function writeTypedParameter(writer: XdrWriter, parameter: TypedParameter): void {
  writer.string(parameter.field);
  writer.i32(PARAMETER_TYPE[parameter.type]);
  switch (parameter.type) {
    case 'int':
      return writer.i32(parameter.value);
    case 'uint':
      return writer.u32(parameter.value);
    case 'llong':
      return writer.i64(parameter.value);
    case 'ullong':
      return writer.u64(parameter.value);
    case 'double':
      return writer.f64(parameter.value);
    case 'boolean':
      return writer.bool(parameter.value);
    case 'string':
      return writer.string(parameter.value);
  }
}
