import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import {
  encodeFrame,
  HEADER_BYTES,
  PROGRAM,
  readHeader,
  STATUS,
  TYPE,
  type FrameHeader,
} from '../../src/libvirt/rpc/frame.js';
import { FrameSplitter } from '../../src/libvirt/rpc/frame-splitter.js';
import { decodeError, type LibvirtError } from '../../src/libvirt/rpc/libvirt-error.js';
import { XdrWriter } from '../../src/libvirt/rpc/xdr-writer.js';

const ANSWER_TIMEOUT_MS = 10_000;

export interface Answer {
  header: FrameHeader;
  payload: Buffer;
  /** Where libvirt, or the proxy, refused. */
  error?: LibvirtError;
}

/** A client that speaks the wire protocol, and anything else that it is told to. */
export class RawClient {
  readonly ended: Promise<unknown>;
  private readonly splitter = new FrameSplitter();
  private readonly answers = new Map<number, (answer: Answer) => void>();
  private serial = 0;

  private constructor(readonly socket: Socket) {
    this.ended = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      for (const frame of this.splitter.push(chunk)) this.take(frame);
    });
  }

  /** Only connects. */
  static async connect(path: string): Promise<RawClient> {
    const socket = createConnection(path);
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  /** Connects, and opens libvirt's QEMU driver. */
  static async open(path: string): Promise<RawClient> {
    const client = await RawClient.connect(path);
    const open = new XdrWriter();
    open.optional('qemu:///system', (uri) => open.string(uri));
    open.u32(0);
    await client.call(66, Buffer.alloc(0));
    await client.call(1, open.finish());
    return client;
  }

  /** The bytes of a call, and the promise of its answer. */
  prepare(
    procedure: number,
    payload: Buffer,
    header: Partial<FrameHeader> = {},
  ): { frame: Buffer; answer: Promise<Answer> } {
    this.serial += 1;
    const serial = this.serial;
    const words = { program: PROGRAM.remote, version: 1, type: TYPE.call, serial, status: STATUS.ok };
    const frame = encodeFrame({ ...words, procedure, ...header }, payload);
    const answer = new Promise<Answer>((resolve, reject) => {
      const late = setTimeout(
        () => reject(new Error(`no answer to procedure ${procedure}`)),
        ANSWER_TIMEOUT_MS,
      );
      this.answers.set(serial, (given) => {
        clearTimeout(late);
        resolve(given);
      });
      void this.ended.then(() => {
        clearTimeout(late);
        reject(new Error('the connection has ended'));
      });
    });
    answer.catch(() => undefined);
    return { frame, answer };
  }

  call(procedure: number, payload: Buffer, header: Partial<FrameHeader> = {}): Promise<Answer> {
    const { frame, answer } = this.prepare(procedure, payload, header);
    this.socket.write(frame);
    return answer;
  }

  /** Whether libvirt still answers on this connection. */
  async alive(): Promise<boolean> {
    // CONNECT_GET_LIB_VERSION
    return (await this.call(157, Buffer.alloc(0))).error === undefined;
  }

  close(): void {
    this.socket.destroy();
  }

  private take(frame: Buffer): void {
    const header = readHeader(frame);
    const payload = frame.subarray(HEADER_BYTES);
    const answered = this.answers.get(header.serial);
    if (!answered || header.type === TYPE.message) return;
    this.answers.delete(header.serial);
    answered(
      header.status === STATUS.error ? { header, payload, error: decodeError(payload) } : { header, payload },
    );
  }
}
