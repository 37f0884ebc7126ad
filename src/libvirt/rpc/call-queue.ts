import { CallTimeout, type ConnectionLost } from './call-errors.js';
import { encodeFrame, PROGRAM_VERSION, STATUS, TYPE, type FrameHeader } from './frame.js';
import { decodeError } from './libvirt-error.js';
import type { Procedure } from './procedures.js';
import { ProtocolError } from './protocol-error.js';
import { XdrReader } from './xdr-reader.js';
import { XdrWriter } from './xdr-writer.js';

const MAX_SERIAL = 0xffff_ffff;

interface Call {
  serial: number;
  frame: Buffer;
  answer(status: number, payload: Buffer): void;
  reject(error: Error): void;
}

export interface CallLimits {
  /** From the call to its answer, the time that it waits for its turn included. */
  timeoutMs: number;
  /** How many calls libvirt is given at once; the others wait. */
  maxInFlight: number;
}

/** Calls from the moment they are made to the moment they are answered, in order, only so many at libvirt at a time. */
export class CallQueue {
  private readonly waiting = new Set<Call>();
  /** Also those that were given up: libvirt works on them still. */
  private readonly inFlight = new Map<number, Call>();
  private serial = 0;

  constructor(
    private readonly limits: CallLimits,
    private readonly send: (frame: Buffer) => void,
    /** Whether the other side takes more; `flush` is called when it does so again. */
    private readonly maySend: () => boolean,
  ) {}

  /** Rejects with LibvirtError, CallTimeout or ConnectionLost, or ProtocolError where an answer cannot be read. */
  make<Arguments extends readonly unknown[], Reply>(
    procedure: Procedure<Arguments, Reply>,
    args: Arguments,
  ): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const serial = this.nextSerial();
      const settle = (outcome: () => void) => {
        clearTimeout(timer);
        outcome();
      };
      const call: Call = {
        serial,
        frame: encodeCall(procedure, args, serial),
        // The reply is read here and now: what a procedure's reader does comes before the next frame is looked at.
        answer: (status, payload) =>
          settle(() => {
            try {
              resolve(readReply((reader) => procedure.read(reader), status, payload));
            } catch (error) {
              reject(error);
            }
          }),
        reject: (error) => settle(() => reject(error)),
      };
      const timer = setTimeout(() => {
        const sent = !this.waiting.delete(call);
        reject(new CallTimeout(procedure.name, this.limits.timeoutMs, sent));
      }, this.limits.timeoutMs);
      this.waiting.add(call);
      this.flush();
    });
  }

  /** @throws ProtocolError where no call waits for this reply */
  answer(header: FrameHeader, payload: Buffer): void {
    const call = this.inFlight.get(header.serial);
    if (!call) throw new ProtocolError(`a reply has the serial number ${header.serial}, which no call has`);
    this.inFlight.delete(header.serial);
    call.answer(header.status, payload);
    this.flush();
  }

  /** Sends what waits, as far as it may. */
  flush(): void {
    for (const call of this.waiting) {
      if (this.inFlight.size >= this.limits.maxInFlight || !this.maySend()) return;
      this.waiting.delete(call);
      this.inFlight.set(call.serial, call);
      this.send(call.frame);
    }
  }

  rejectAll(error: ConnectionLost): void {
    const calls = [...this.inFlight.values(), ...this.waiting];
    this.inFlight.clear();
    this.waiting.clear();
    for (const call of calls) call.reject(error);
  }

  private nextSerial(): number {
    this.serial = this.serial === MAX_SERIAL ? 1 : this.serial + 1;
    return this.serial;
  }
}

function encodeCall<Arguments extends readonly unknown[]>(
  procedure: Procedure<Arguments, unknown>,
  args: Arguments,
  serial: number,
): Buffer {
  const writer = new XdrWriter();
  procedure.write(writer, ...args);
  return encodeFrame(
    {
      program: procedure.program,
      version: PROGRAM_VERSION,
      procedure: procedure.number,
      type: TYPE.call,
      serial,
      status: STATUS.ok,
    },
    writer.finish(),
  );
}

function readReply<Reply>(read: (reader: XdrReader) => Reply, status: number, payload: Buffer): Reply {
  if (status === STATUS.error) throw decodeError(payload);
  const reader = new XdrReader(payload);
  const reply = read(reader);
  reader.end();
  return reply;
}
