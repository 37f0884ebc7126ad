import { createConnection, type Socket } from 'node:net';
import { ConnectionLost } from './call-errors.js';
import { CallQueue, type CallLimits } from './call-queue.js';
import {
  encodeFrame,
  HEADER_BYTES,
  PROGRAM,
  PROGRAM_VERSION,
  readHeader,
  STATUS,
  TYPE,
  type FrameHeader,
} from './frame.js';
import { FrameSplitter } from './frame-splitter.js';
import { Keepalive, type KeepaliveSettings } from './keepalive.js';
import type { Procedure } from './procedures.js';
import { ProtocolError } from './protocol-error.js';
import { XdrReader } from './xdr-reader.js';

/** `keepalive_procedure` */
const PING = 1;
const PONG = 2;

/** Takes a message of the remote program, which is an event; `payload` is at its beginning. */
export type MessageListener = (procedure: number, payload: XdrReader) => void;

/** One unix socket with libvirt's protocol on it: calls, their answers, events, keepalive. */
export class Connection {
  /** When the connection has ended: why, or undefined where this side ended it. */
  readonly closed: Promise<ConnectionLost | undefined>;
  private readonly calls: CallQueue;
  private readonly splitter = new FrameSplitter();
  private keepalive: Keepalive | undefined;
  private resolveClosed!: (reason: ConnectionLost | undefined) => void;
  private lost: ConnectionLost | undefined;
  private owesPong = false;

  private constructor(
    private readonly socket: Socket,
    limits: CallLimits,
    private readonly onMessage: MessageListener,
  ) {
    this.closed = new Promise((resolve) => {
      this.resolveClosed = resolve;
    });
    this.calls = new CallQueue(
      limits,
      (frame) => this.socket.write(frame),
      () => !this.socket.writableNeedDrain,
    );
    socket.on('data', (chunk: Buffer) => this.take(chunk));
    socket.on('drain', () => this.drained());
    socket.on('error', (error) => this.lose(new ConnectionLost(error.message, { cause: error })));
    socket.on('close', () => this.lose(new ConnectionLost('libvirt has closed it')));
  }

  /**
   * @param target the socket's path, and a signal that ends the connection, also one that is being made
   * @throws the system's error where nothing listens on the path
   */
  static open(
    target: { path: string; signal?: AbortSignal | undefined },
    limits: CallLimits,
    onMessage: MessageListener,
  ): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const { path, signal } = target;
      const socket = createConnection({ path, ...(signal && { signal }) });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new Connection(socket, limits, onMessage));
      });
    });
  }

  /** Rejects with LibvirtError, CallTimeout or ConnectionLost, or ProtocolError where an answer cannot be read. */
  call<Arguments extends readonly unknown[], Reply>(
    procedure: Procedure<Arguments, Reply>,
    ...args: Arguments
  ): Promise<Reply> {
    return this.lost ? Promise.reject(this.lost) : this.calls.make(procedure, args);
  }

  /** To be called once, when libvirt is known to answer. */
  startKeepalive(settings: KeepaliveSettings): void {
    if (this.lost) return;
    this.keepalive = new Keepalive(
      settings,
      () => this.sendKeepalive(PING),
      () => this.lose(new ConnectionLost('libvirt answers no keepalive')),
    );
  }

  /** Hangs up at once. Calls without an answer are rejected. */
  close(): void {
    this.end(new ConnectionLost('it was closed here'), undefined);
  }

  private take(chunk: Buffer): void {
    this.keepalive?.heard();
    try {
      for (const frame of this.splitter.push(chunk)) {
        if (this.lost) return;
        this.takeFrame(readHeader(frame), frame);
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.lose(
        new ConnectionLost(`it has sent what is not libvirt's protocol: ${error.message}`, { cause: error }),
      );
    }
  }

  private takeFrame(header: FrameHeader, frame: Buffer): void {
    const { program, type, procedure } = header;
    if ((program === PROGRAM.remote || program === PROGRAM.qemu) && type === TYPE.reply) {
      this.calls.answer(header, frame.subarray(HEADER_BYTES));
    } else if (program === PROGRAM.remote && type === TYPE.message) {
      this.onMessage(procedure, new XdrReader(frame, HEADER_BYTES));
    } else if (program === PROGRAM.keepalive && type === TYPE.message) {
      if (procedure === PING) this.sendKeepalive(PONG);
    } else {
      throw new ProtocolError(`a frame of type ${type} and program ${program}, which was not asked for`);
    }
  }

  private sendKeepalive(procedure: number): void {
    if (this.socket.writableNeedDrain) {
      // One answer is as good as many, and who asks without reading the answers must not fill our memory.
      this.owesPong ||= procedure === PONG;
      return;
    }
    const header = {
      program: PROGRAM.keepalive,
      version: PROGRAM_VERSION,
      procedure,
      type: TYPE.message,
      serial: 0,
      status: STATUS.ok,
    };
    this.socket.write(encodeFrame(header, Buffer.alloc(0)));
  }

  private drained(): void {
    if (this.owesPong) {
      this.owesPong = false;
      this.sendKeepalive(PONG);
    }
    this.calls.flush();
  }

  private lose(reason: ConnectionLost): void {
    this.end(reason, reason);
  }

  private end(reason: ConnectionLost, told: ConnectionLost | undefined): void {
    if (this.lost) return;
    this.lost = reason;
    this.keepalive?.stop();
    this.socket.destroy();
    this.calls.rejectAll(reason);
    this.resolveClosed(told);
  }
}
