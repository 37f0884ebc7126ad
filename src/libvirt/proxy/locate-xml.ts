import { MAX_STRING_BYTES } from '../rpc/frame.js';
import { readDomainRef, type DomainRef } from '../rpc/types.js';
import { XdrReader } from '../rpc/xdr-reader.js';
import type { Argument, XmlCall, XmlRole } from './xml-calls.js';

/** A string of XML within the arguments of a call. */
export interface LocatedXml {
  role: XmlRole;
  /** As it was sent; not known to be UTF-8. */
  bytes: Buffer;
  /** Where the string is in the arguments, with its length and padding. */
  start: number;
  end: number;
}

export interface LocatedCall {
  call: XmlCall;
  /** The domain that the call is about, where it names one. */
  domain?: DomainRef;
  xml: readonly LocatedXml[];
  /** Flags of a device call that has them. */
  flags?: number;
}

/** `REMOTE_MIGRATE_COOKIE_MAX` */
const MAX_OPAQUE_BYTES = 4 * 1024 * 1024;
/** `REMOTE_DOMAIN_MIGRATE_PARAM_LIST_MAX` and its like are 64; some lists are longer. */
const MAX_PARAMETERS = 1024;

/** `virTypedParameterType` */
const PARAMETER = { int: 1, uint: 2, llong: 3, ullong: 4, double: 5, boolean: 6, string: 7 } as const;

/**
 * Finds the XML in a call's arguments.
 *
 * @throws ProtocolError where the arguments are not what the protocol says
 */
export function locateXml(call: XmlCall, payload: Buffer): LocatedCall {
  const reader = new XdrReader(payload);
  const located: LocatedCall & { xml: LocatedXml[] } = { call, xml: [] };
  for (const argument of call.arguments) readArgument(reader, argument, located);
  return located;
}

function readArgument(
  reader: XdrReader,
  argument: Argument,
  located: LocatedCall & { xml: LocatedXml[] },
): void {
  switch (argument.type) {
    case 'domain-ref':
      located.domain = readDomainRef(reader);
      return;
    case 'string':
    case 'opaque':
      reader.opaque(MAX_OPAQUE_BYTES);
      return;
    case 'optional-string':
      reader.optional(() => reader.opaque(MAX_STRING_BYTES));
      return;
    case 'flags':
      located.flags = reader.u32();
      return;
    case 'u64':
      reader.u64();
      return;
    case 'xml':
      located.xml.push(readXmlString(reader, argument.role));
      return;
    case 'optional-xml':
      reader.optional(() => located.xml.push(readXmlString(reader, argument.role)));
      return;
    case 'parameters':
      readParameters(reader, argument.xml, located.xml);
  }
}

function readXmlString(reader: XdrReader, role: XmlRole): LocatedXml {
  const start = reader.offset;
  const bytes = reader.opaque(MAX_STRING_BYTES);
  return { role, bytes, start, end: reader.offset };
}

/** `remote_typed_param`: a name, a type, a value. */
function readParameters(reader: XdrReader, names: readonly string[], found: LocatedXml[]): void {
  const count = reader.count(MAX_PARAMETERS);
  for (let index = 0; index < count; index += 1) {
    const name = reader.opaque(MAX_STRING_BYTES).toString('latin1');
    switch (reader.i32()) {
      case PARAMETER.int:
      case PARAMETER.uint:
      case PARAMETER.boolean:
        reader.u32();
        break;
      case PARAMETER.llong:
      case PARAMETER.ullong:
      case PARAMETER.double:
        reader.u64();
        break;
      case PARAMETER.string:
        if (names.includes(name)) found.push(readXmlString(reader, 'domain'));
        else reader.opaque(MAX_STRING_BYTES);
        break;
      default:
        reader.refuse('a typed parameter has no known type');
    }
  }
}

/** The arguments with other XML in the place of some. */
export function replaceXml(payload: Buffer, replacements: ReadonlyMap<LocatedXml, string>): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  for (const [{ start, end }, text] of [...replacements].toSorted(([a], [b]) => a.start - b.start)) {
    const bytes = Buffer.byteLength(text);
    const encoded = Buffer.alloc(4 + Math.ceil(bytes / 4) * 4);
    encoded.writeUInt32BE(bytes, 0);
    encoded.write(text, 4);
    parts.push(payload.subarray(at, start), encoded);
    at = end;
  }
  return Buffer.concat([...parts, payload.subarray(at)]);
}
