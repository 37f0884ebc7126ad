import { PROCEDURE } from '../../src/libvirt/rpc/procedures.js';
import {
  readDomainRef,
  readNetworkRef,
  readTypedParameter,
  readUuid,
  writeDomainRef,
  writeNetworkRef,
  writeTypedParameter,
  writeUuid,
} from '../../src/libvirt/rpc/types.js';
import type { XdrReader } from '../../src/libvirt/rpc/xdr-reader.js';
import { XdrWriter } from '../../src/libvirt/rpc/xdr-writer.js';

/** A part of a payload: reads it, and writes what was read. */
type Part = (reader: XdrReader, writer: XdrWriter) => void;

const i32: Part = (reader, writer) => writer.i32(reader.i32());
const u32: Part = (reader, writer) => writer.u32(reader.u32());
const u64: Part = (reader, writer) => writer.u64(reader.u64());
const string: Part = (reader, writer) => writer.string(reader.string());
const uuid: Part = (reader, writer) => writeUuid(writer, readUuid(reader));
const domain: Part = (reader, writer) => writeDomainRef(writer, readDomainRef(reader));
const network: Part = (reader, writer) => writeNetworkRef(writer, readNetworkRef(reader));
const parameter: Part = (reader, writer) => writeTypedParameter(writer, readTypedParameter(reader));

function optional(part: Part): Part {
  return (reader, writer) => {
    const present = reader.bool();
    writer.bool(present);
    if (present) part(reader, writer);
  };
}

function list(part: Part): Part {
  return (reader, writer) => {
    const count = reader.count(16_384);
    writer.u32(count);
    for (let left = count; left > 0; left -= 1) part(reader, writer);
  };
}

function all(...parts: Part[]): Part {
  return (reader, writer) => {
    for (const part of parts) part(reader, writer);
  };
}

const nothing = all();

/** What `remote_protocol.x` says of the arguments and the reply of calls, by their number. */
export const KNOWN_CALLS: ReadonlyMap<number, { args: Part; reply: Part }> = new Map([
  [PROCEDURE.authList.number, { args: nothing, reply: list(i32) }],
  [PROCEDURE.open.number, { args: all(optional(string), u32), reply: nothing }],
  [PROCEDURE.supportsFeature.number, { args: i32, reply: i32 }],
  [PROCEDURE.libVersion.number, { args: nothing, reply: u64 }],
  [PROCEDURE.hostname.number, { args: nothing, reply: string }],
  [PROCEDURE.listDomains.number, { args: all(i32, u32), reply: all(list(domain), u32) }],
  [PROCEDURE.listNetworks.number, { args: all(i32, u32), reply: all(list(network), u32) }],
  [PROCEDURE.domainByName.number, { args: string, reply: domain }],
  [PROCEDURE.domainByUuid.number, { args: uuid, reply: domain }],
  [PROCEDURE.domainById.number, { args: i32, reply: domain }],
  [PROCEDURE.domainXml.number, { args: all(domain, u32), reply: string }],
  [PROCEDURE.domainState.number, { args: all(domain, u32), reply: all(i32, i32) }],
  [PROCEDURE.isPersistent.number, { args: domain, reply: i32 }],
  [PROCEDURE.hasManagedSave.number, { args: all(domain, u32), reply: i32 }],
  [PROCEDURE.createDomain.number, { args: all(string, u32), reply: domain }],
  [PROCEDURE.defineDomain.number, { args: all(string, u32), reply: domain }],
  [PROCEDURE.startDomain.number, { args: all(domain, u32), reply: domain }],
  [PROCEDURE.undefineDomain.number, { args: all(domain, u32), reply: nothing }],
  [PROCEDURE.suspendDomain.number, { args: domain, reply: nothing }],
  [PROCEDURE.resumeDomain.number, { args: domain, reply: nothing }],
  [PROCEDURE.attachDevice.number, { args: all(domain, string, u32), reply: nothing }],
  [PROCEDURE.detachDevice.number, { args: all(domain, string, u32), reply: nothing }],
  [PROCEDURE.registerDomainEvent.number, { args: all(i32, optional(domain)), reply: i32 }],
  // DOMAIN_DESTROY
  [12, { args: domain, reply: nothing }],
  // DOMAIN_DEFINE_XML
  [11, { args: string, reply: domain }],
  // CONNECT_GET_ALL_DOMAIN_STATS
  [344, { args: all(list(domain), u32, u32), reply: list(all(domain, list(parameter))) }],
  // DOMAIN_GET_MEMORY_PARAMETERS: the list, and how many there would be
  [198, { args: all(domain, i32, u32), reply: all(list(parameter), i32) }],
]);

/** Events, by the number of their message. */
export const KNOWN_EVENTS: ReadonlyMap<number, Part> = new Map([
  // Lifecycle
  [318, all(i32, domain, i32, i32)],
  // Device added, device removed
  [354, all(i32, domain, string)],
  [333, all(i32, domain, string)],
]);

/** The payload again, from what was read of it. */
export function rewritten(part: Part, reader: XdrReader): Buffer {
  const writer = new XdrWriter();
  part(reader, writer);
  reader.end();
  return writer.finish();
}
