import { PROGRAM } from './frame.js';
import type { XdrReader } from './xdr-reader.js';
import type { XdrWriter } from './xdr-writer.js';
import {
  readDomainRef,
  readNetworkRef,
  writeDomainRef,
  writeNetworkRef,
  writeUuid,
  type DomainRef,
  type NetworkRef,
} from './types.js';

/** A call: its arguments' and its reply's encoding (`remote_protocol.x`, `qemu_protocol.x`). */
export interface Procedure<Arguments extends readonly unknown[], Reply> {
  /** Without `REMOTE_PROC_` or `QEMU_PROC_`. */
  name: string;
  /** What it is a procedure of. */
  program: number;
  number: number;
  write(writer: XdrWriter, ...args: Arguments): void;
  read(reader: XdrReader): Reply;
}

/** `virDomainState` and its reason, both open lists: newer libvirts have more. */
export interface DomainState {
  state: number;
  reason: number;
}

/** `REMOTE_DOMAIN_LIST_MAX`, `REMOTE_NETWORK_LIST_MAX` */
const MAX_LIST = 16_384;
/** `REMOTE_AUTH_TYPE_LIST_MAX` */
const MAX_AUTH_TYPES = 20;

const nothing = () => {};
const readInt = (reader: XdrReader) => reader.i32();
/** libvirt answers yes or no as an int; negative ones come as errors instead. */
const readTruth = (reader: XdrReader) => reader.i32() > 0;
const readString = (reader: XdrReader) => reader.string();
const readVersion = (reader: XdrReader) => Number(reader.u64());
const writeDomainXml = (writer: XdrWriter, xml: string, flags: number) => {
  writer.string(xml);
  writer.u32(flags);
};
const writeDomainFlags = (writer: XdrWriter, domain: DomainRef, flags: number) => {
  writeDomainRef(writer, domain);
  writer.u32(flags);
};
const writeDeviceXml = (writer: XdrWriter, domain: DomainRef, xml: string, flags: number) => {
  writeDomainRef(writer, domain);
  writer.string(xml);
  writer.u32(flags);
};
const writeList = (writer: XdrWriter, flags: number) => {
  // Whether the list is wanted, or its length alone.
  writer.i32(1);
  writer.u32(flags);
};

function procedure<Arguments extends readonly unknown[], Reply>(
  name: string,
  number: number,
  write: (writer: XdrWriter, ...args: Arguments) => void,
  read: (reader: XdrReader) => Reply,
): Procedure<Arguments, Reply> {
  return { name, program: PROGRAM.remote, number, write, read };
}

/** A list, and after it the same number again. */
function readList<T>(readElement: (reader: XdrReader) => T): (reader: XdrReader) => T[] {
  return (reader) => {
    const elements = reader.array(MAX_LIST, () => readElement(reader));
    reader.u32();
    return elements;
  };
}

const AUTH = {
  /** Which kinds of authentication the daemon takes; `virNetServerServiceAuthMethods`. */
  authList: procedure('AUTH_LIST', 66, nothing, (reader) => reader.array(MAX_AUTH_TYPES, () => reader.i32())),
  authPolkit: procedure('AUTH_POLKIT', 70, nothing, readTruth),
};

const CONNECT = {
  open: procedure(
    'CONNECT_OPEN',
    1,
    (writer, uri: string, flags: number) => {
      writer.optional(uri, (name) => writer.string(name));
      writer.u32(flags);
    },
    nothing,
  ),
  supportsFeature: procedure(
    'CONNECT_SUPPORTS_FEATURE',
    60,
    (writer, feature: number) => writer.i32(feature),
    readTruth,
  ),
  hypervisorVersion: procedure('CONNECT_GET_VERSION', 4, nothing, readVersion),
  libVersion: procedure('CONNECT_GET_LIB_VERSION', 157, nothing, readVersion),
  hostname: procedure('CONNECT_GET_HOSTNAME', 59, nothing, readString),
  listDomains: procedure('CONNECT_LIST_ALL_DOMAINS', 273, writeList, readList(readDomainRef)),
  listNetworks: procedure('CONNECT_LIST_ALL_NETWORKS', 283, writeList, readList(readNetworkRef)),
};

const DOMAIN = {
  domainById: procedure('DOMAIN_LOOKUP_BY_ID', 22, (writer, id: number) => writer.i32(id), readDomainRef),
  domainByName: procedure(
    'DOMAIN_LOOKUP_BY_NAME',
    23,
    (writer, name: string) => writer.string(name),
    readDomainRef,
  ),
  domainByUuid: procedure('DOMAIN_LOOKUP_BY_UUID', 24, writeUuid, readDomainRef),
  domainXml: procedure('DOMAIN_GET_XML_DESC', 14, writeDomainFlags, readString),
  domainState: procedure('DOMAIN_GET_STATE', 212, writeDomainFlags, (reader): DomainState => ({
    state: reader.i32(),
    reason: reader.i32(),
  })),
  isActive: procedure('DOMAIN_IS_ACTIVE', 150, writeDomainRef, readTruth),
  isPersistent: procedure('DOMAIN_IS_PERSISTENT', 151, writeDomainRef, readTruth),
  hasManagedSave: procedure('DOMAIN_HAS_MANAGED_SAVE_IMAGE', 183, writeDomainFlags, readTruth),
  createDomain: procedure('DOMAIN_CREATE_XML', 10, writeDomainXml, readDomainRef),
  defineDomain: procedure('DOMAIN_DEFINE_XML_FLAGS', 350, writeDomainXml, readDomainRef),
  undefineDomain: procedure('DOMAIN_UNDEFINE_FLAGS', 231, writeDomainFlags, nothing),
  startDomain: procedure('DOMAIN_CREATE_WITH_FLAGS', 196, writeDomainFlags, readDomainRef),
  shutDownDomain: procedure('DOMAIN_SHUTDOWN', 33, writeDomainRef, nothing),
  destroyDomain: procedure('DOMAIN_DESTROY_FLAGS', 234, writeDomainFlags, nothing),
  suspendDomain: procedure('DOMAIN_SUSPEND', 34, writeDomainRef, nothing),
  resumeDomain: procedure('DOMAIN_RESUME', 28, writeDomainRef, nothing),
  attachDevice: procedure('DOMAIN_ATTACH_DEVICE_FLAGS', 160, writeDeviceXml, nothing),
  detachDevice: procedure('DOMAIN_DETACH_DEVICE_FLAGS', 161, writeDeviceXml, nothing),
  updateDevice: procedure('DOMAIN_UPDATE_DEVICE_FLAGS', 174, writeDeviceXml, nothing),
};

/** Calls that only QEMU's driver has (`qemu_protocol.x`). */
const QEMU = {
  monitorCommand: {
    ...procedure(
      'DOMAIN_MONITOR_COMMAND',
      1,
      (writer, domain: DomainRef, command: string, flags: number) => {
        writeDomainRef(writer, domain);
        writer.string(command);
        writer.u32(flags);
      },
      readString,
    ),
    program: PROGRAM.qemu,
  },
};

const NETWORK = {
  networkXml: procedure(
    'NETWORK_GET_XML_DESC',
    43,
    (writer, network: NetworkRef, flags: number) => {
      writeNetworkRef(writer, network);
      writer.u32(flags);
    },
    readString,
  ),
};

const EVENT = {
  registerDomainEvent: procedure(
    'CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY',
    316,
    (writer, event: number) => {
      writer.i32(event);
      // Of every domain.
      writer.bool(false);
    },
    readInt,
  ),
  registerNetworkEvent: procedure(
    'CONNECT_NETWORK_EVENT_REGISTER_ANY',
    313,
    (writer, event: number) => {
      writer.i32(event);
      // Of every network.
      writer.bool(false);
    },
    readInt,
  ),
};

/** The calls that this client makes. Numbers are the same in every release of libvirt. */
export const PROCEDURE = { ...AUTH, ...CONNECT, ...DOMAIN, ...QEMU, ...NETWORK, ...EVENT };
