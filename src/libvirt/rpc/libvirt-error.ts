import { XdrReader } from './xdr-reader.js';
import { XdrWriter } from './xdr-writer.js';
import { readDomainRef, readNetworkRef } from './types.js';

/** `virErrorNumber`, those that a program may want to tell apart. */
export const ERROR_CODE = {
  internalError: 1,
  noSupport: 3,
  invalidArg: 8,
  operationFailed: 9,
  xmlError: 27,
  operationDenied: 29,
  systemError: 38,
  rpc: 39,
  noDomain: 42,
  noNetwork: 43,
  authFailed: 45,
  operationInvalid: 55,
  configUnsupported: 67,
  operationTimeout: 68,
  hookScriptFailed: 70,
  argumentUnsupported: 74,
  operationAborted: 78,
  authCancelled: 79,
  operationUnsupported: 84,
  resourceBusy: 87,
  accessDenied: 88,
  xmlInvalidSchema: 92,
  authUnavailable: 94,
  deviceMissing: 99,
} as const;

/** `virErrorDomain`: which part of libvirt an error is from. */
export const ERROR_DOMAIN = {
  none: 0,
  xml: 5,
  rpc: 7,
  qemu: 10,
  remote: 13,
  network: 19,
  domain: 20,
  security: 24,
  hook: 34,
  streams: 38,
  event: 40,
  auth: 46,
  access: 55,
  polkit: 60,
} as const;

/** `virErrorLevel` */
export const ERROR_LEVEL = { none: 0, warning: 1, error: 2 } as const;

/** `remote_error`, less the domain and the network, which libvirt has not used for long. */
export interface LibvirtErrorFields {
  code: number;
  domain: number;
  message: string;
  level?: number;
  /** What libvirt made the message of: a format, then its arguments. */
  str1?: string;
  str2?: string;
  str3?: string;
  int1?: number;
  int2?: number;
}

/** An error that libvirt answered, or that is to be answered in its place. */
export class LibvirtError extends Error {
  override readonly name = 'LibvirtError';
  readonly code: number;
  readonly domain: number;
  readonly level: number;
  readonly str1: string | undefined;
  readonly str2: string | undefined;
  readonly str3: string | undefined;
  readonly int1: number;
  readonly int2: number;

  constructor(fields: LibvirtErrorFields) {
    super(fields.message);
    this.code = fields.code;
    this.domain = fields.domain;
    this.level = fields.level ?? ERROR_LEVEL.error;
    this.str1 = fields.str1;
    this.str2 = fields.str2;
    this.str3 = fields.str3;
    // As `virReportError` sends them where there are none.
    this.int1 = fields.int1 ?? -1;
    this.int2 = fields.int2 ?? -1;
  }
}

/** The payload of a reply with the status `error`. */
export function encodeError(error: LibvirtError): Buffer {
  const writer = new XdrWriter();
  const writeString = (value: string) => writer.string(value);
  writer.i32(error.code);
  writer.i32(error.domain);
  writer.optional(error.message, writeString);
  writer.i32(error.level);
  writer.bool(false);
  writer.optional(error.str1, writeString);
  writer.optional(error.str2, writeString);
  writer.optional(error.str3, writeString);
  writer.i32(error.int1);
  writer.i32(error.int2);
  writer.bool(false);
  return writer.finish();
}

/**
 * Texts are read leniently: they may hold what a hook or QEMU has printed.
 *
 * @throws ProtocolError where the payload is no `remote_error`
 */
export function decodeError(payload: Buffer): LibvirtError {
  const reader = new XdrReader(payload);
  const readText = () => reader.text();
  const code = reader.i32();
  const domain = reader.i32();
  const message = reader.optional(readText) ?? '';
  const level = reader.i32();
  reader.optional(() => readDomainRef(reader));
  const str1 = reader.optional(readText);
  const str2 = reader.optional(readText);
  const str3 = reader.optional(readText);
  const int1 = reader.i32();
  const int2 = reader.i32();
  reader.optional(() => readNetworkRef(reader));
  reader.end();
  return new LibvirtError({ code, domain, message, level, str1, str2, str3, int1, int2 });
}
