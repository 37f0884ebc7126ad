import { ProtocolError } from './protocol-error.js';

/** What a frame's procedure number is a number of. */
export const PROGRAM = {
  remote: 0x2000_8086,
  qemu: 0x2000_8087,
  lxc: 0x2000_8088,
  keepalive: 0x6b65_6570,
} as const;

/** Every program has had this version since its first day. */
export const PROGRAM_VERSION = 1;

/** `virNetMessageType` */
export const TYPE = {
  call: 0,
  reply: 1,
  /** An event or a keepalive; belongs to no call. */
  message: 2,
  stream: 3,
  /** Begins with the number of its file descriptors, which follow the frame with one byte each. */
  callWithFds: 4,
  replyWithFds: 5,
  streamHole: 6,
} as const;

/** `virNetMessageStatus` */
export const STATUS = { ok: 0, error: 1, continue: 2 } as const;

/** The length word and the six words of `virNetMessageHeader`. */
export const HEADER_BYTES = 28;

/** `VIR_NET_MESSAGE_MAX`, which does not count the length word, and that word. */
export const MAX_FRAME_BYTES = 32 * 1024 * 1024 + 4;

/** `VIR_NET_MESSAGE_STRING_MAX` and `REMOTE_STRING_MAX` */
export const MAX_STRING_BYTES = 4 * 1024 * 1024;

/** `VIR_NET_MESSAGE_NUM_FDS_MAX` */
export const MAX_FDS = 32;

/** The head of a frame, every field as it was sent: nothing of it is known to be valid. */
export interface FrameHeader {
  /** Bytes of the whole frame, this word included. */
  length: number;
  program: number;
  version: number;
  procedure: number;
  type: number;
  /** Chosen by the client for each call; 0 in a message. */
  serial: number;
  status: number;
}

/** @throws ProtocolError where the buffer ends before the header does */
export function readHeader(buffer: Buffer, offset = 0): FrameHeader {
  if (buffer.length - offset < HEADER_BYTES) throw new ProtocolError('a frame header is cut short', offset);
  return {
    length: buffer.readUInt32BE(offset),
    program: buffer.readUInt32BE(offset + 4),
    version: buffer.readUInt32BE(offset + 8),
    procedure: buffer.readInt32BE(offset + 12),
    type: buffer.readInt32BE(offset + 16),
    serial: buffer.readUInt32BE(offset + 20),
    status: buffer.readInt32BE(offset + 24),
  };
}

/**
 * A whole frame; its length is that of the header and the payload.
 *
 * @throws ProtocolError where no peer would take a frame of that length
 */
export function encodeFrame(header: Omit<FrameHeader, 'length'>, payload: Buffer): Buffer {
  const length = HEADER_BYTES + payload.length;
  if (length > MAX_FRAME_BYTES) throw new ProtocolError(`a frame cannot be ${length} bytes long`);
  const frame = Buffer.allocUnsafe(length);
  frame.writeUInt32BE(length, 0);
  frame.writeUInt32BE(header.program, 4);
  frame.writeUInt32BE(header.version, 8);
  frame.writeInt32BE(header.procedure, 12);
  frame.writeInt32BE(header.type, 16);
  frame.writeUInt32BE(header.serial, 20);
  frame.writeInt32BE(header.status, 24);
  payload.copy(frame, HEADER_BYTES);
  return frame;
}
