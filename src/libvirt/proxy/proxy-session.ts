import type { Socket } from 'node:net';
import { encodeError, ERROR_CODE, ERROR_DOMAIN, LibvirtError } from '../rpc/libvirt-error.js';
import { encodeFrame, HEADER_BYTES, PROGRAM, STATUS, TYPE, type FrameHeader } from '../rpc/frame.js';
import { ProtocolError } from '../rpc/protocol-error.js';
import { readDomainRef } from '../rpc/types.js';
import { XdrReader } from '../rpc/xdr-reader.js';
import type { CallJudge, Judgement } from './call-judge.js';
import { FrameFilter } from './frame-filter.js';
import { locateXml, type LocatedCall } from './locate-xml.js';
import { whyRefused } from './monitor-commands.js';
import { MONITOR_COMMANDS, OPEN_GRAPHICS_FD, XML_CALLS } from './xml-calls.js';

/** A client that has begun a call which we hold and does not go on with it is given up. */
const HELD_CALL_TIMEOUT_MS = 60_000;
/** How long an end that does not read may keep what was written to it when the other end has gone. */
const LINGER_MS = 1_000;
/** Judged calls whose answers are watched for; libvirt itself works on five of a client at a time. */
const MAX_OPEN_CALLS = 1_000;
/** A client with that many calls that wait for a decision is not read from, as libvirt would not at its own limit. */
const MAX_JUDGED_AT_ONCE = 16;
const NO_DESCRIPTORS = 'file descriptors cannot pass the vfio-warden proxy';

/** What a session tells of the calls that it judged. */
export interface SessionObserver {
  /** A call went on, or was refused. */
  judged(call: LocatedCall, judgement: Judgement): void;
  /** Libvirt answered a call that had gone on. */
  answered(call: LocatedCall, judgement: Judgement, ok: boolean, reply: Buffer): void;
  /** A call was refused without a decision: it needs what a proxy cannot pass, or goes around libvirt. */
  refused(what: string): void;
}

interface OpenCall {
  procedure: number;
  located: LocatedCall;
  judgement: Judgement;
}

/**
 * One client and its connection to libvirt. Calls that bring XML in are held and judged; everything else passes as it
 * comes, both ways.
 */
export class ProxySession {
  private readonly fromClient: FrameFilter;
  private readonly fromLibvirt: FrameFilter;
  /** Judged calls that libvirt has not answered, by serial. */
  private readonly open = new Map<number, OpenCall>();
  /** Answers of ours that wait for the end of a frame that is being passed to the client. */
  private readonly answers: Buffer[] = [];
  /** Whether the client has not read the last answer of ours. */
  private answerUnread = false;
  private silence: NodeJS.Timeout | undefined;
  private judging = 0;
  /** Calls that have not been answered, those that passed unparsed included. */
  private unanswered = 0;
  private draining = false;
  private ended = false;

  constructor(
    private readonly client: Socket,
    private readonly libvirt: Socket,
    /** Absent for a read-only connection: libvirt takes no XML on it. */
    private readonly judge: CallJudge | undefined,
    private readonly observer: SessionObserver,
    private readonly onEnd: () => void,
  ) {
    this.fromClient = new FrameFilter((header) => this.isHeld(header), {
      pass: (bytes) => this.write(libvirt, bytes),
      held: (frame, header) => this.takeCall(frame, header),
    });
    this.fromLibvirt = new FrameFilter((header) => this.isAwaited(header), {
      pass: (bytes) => this.write(client, bytes),
      held: (frame, header) => this.takeAnswer(frame, header),
    });
    client.on('data', (chunk: Buffer) => this.guarded(() => this.receive(chunk)));
    libvirt.on('data', (chunk: Buffer) =>
      this.guarded(() => {
        this.fromLibvirt.push(chunk);
        this.sendAnswers();
        this.endIfDrained();
      }),
    );
    client.on('drain', () => {
      this.answerUnread = false;
      this.regulate();
    });
    libvirt.on('drain', () => this.regulate());
    for (const socket of [client, libvirt]) {
      socket.on('error', () => this.end());
      socket.on('end', () => this.end());
      socket.on('close', () => this.end());
    }
  }

  /** Takes no more calls, and ends as soon as those that were taken are answered. */
  drain(): void {
    this.draining = true;
    this.regulate();
    this.endIfDrained();
  }

  private endIfDrained(): void {
    if (this.draining && this.unanswered <= 0 && this.answers.length === 0 && this.fromLibvirt.atBoundary) {
      this.end();
    }
  }

  /** Ends both connections; what was written to them still goes out. */
  end(): void {
    if (this.ended) return;
    this.ended = true;
    clearTimeout(this.silence);
    for (const socket of [this.client, this.libvirt]) {
      socket.destroySoon();
      setTimeout(() => socket.destroy(), LINGER_MS).unref();
    }
    this.onEnd();
  }

  private receive(chunk: Buffer): void {
    this.fromClient.push(chunk);
    if (!this.fromClient.waiting) {
      clearTimeout(this.silence);
      this.silence = undefined;
    } else if (this.silence) this.silence.refresh();
    else this.silence = setTimeout(() => this.giveUp(), HELD_CALL_TIMEOUT_MS).unref();
  }

  /** The client is silent in the middle of a call, unless it is we who do not listen. */
  private giveUp(): void {
    if (this.client.isPaused()) this.silence?.refresh();
    else this.end();
  }

  /** After an error, what follows cannot be told apart any more: libvirt, too, hangs up on a frame that is none. */
  private guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof ProtocolError)) this.observer.refused(`a bug of the proxy: ${String(error)}`);
      this.end();
    }
  }

  private write(to: Socket, bytes: Buffer): void {
    if (!to.write(bytes)) this.regulate();
  }

  /** Reads from each end no more than can be passed on, judged and answered. */
  private regulate(): void {
    setPaused(this.libvirt, this.client.writableNeedDrain);
    const answersWait = this.answerUnread || this.answers.length > 0;
    const tooMany = this.judging >= MAX_JUDGED_AT_ONCE;
    const noMore = this.draining && !this.fromClient.waiting;
    setPaused(this.client, this.libvirt.writableNeedDrain || answersWait || tooMany || noMore);
  }

  private isHeld({ type, program, procedure }: FrameHeader): boolean {
    if (type !== TYPE.call && type !== TYPE.callWithFds) return false;
    this.unanswered += 1;
    if (type === TYPE.callWithFds) return true;
    if (program === PROGRAM.remote) {
      return procedure === OPEN_GRAPHICS_FD || (this.judge?.active === true && XML_CALLS.has(procedure));
    }
    return program === PROGRAM.qemu && MONITOR_COMMANDS.has(procedure);
  }

  private isAwaited({ type, program, procedure, serial }: FrameHeader): boolean {
    if (type !== TYPE.reply && type !== TYPE.replyWithFds) return false;
    this.unanswered -= 1;
    if (type === TYPE.replyWithFds) return true;
    return program === PROGRAM.remote && this.open.get(serial)?.procedure === procedure;
  }

  private takeCall(frame: Buffer, header: FrameHeader): void {
    const payload = frame.subarray(HEADER_BYTES);
    if (
      header.type === TYPE.callWithFds ||
      (header.procedure === OPEN_GRAPHICS_FD && header.program === PROGRAM.remote)
    ) {
      this.refuse(header, ERROR_CODE.noSupport, NO_DESCRIPTORS);
      return;
    }
    try {
      if (header.program === PROGRAM.qemu) this.takeMonitorCommand(frame, header, payload);
      else this.takeXmlCall(header, payload);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      // As libvirt answers arguments that it cannot read; the frame itself was whole, so the next one can be found.
      this.refuse(
        header,
        ERROR_CODE.rpc,
        `the arguments of procedure ${header.procedure} cannot be read: ${error.message}`,
      );
    }
  }

  private takeMonitorCommand(frame: Buffer, header: FrameHeader, payload: Buffer): void {
    const reason = this.judge?.enforcing ? whyRefused(readMonitorCommand(payload)) : undefined;
    if (reason === undefined) this.write(this.libvirt, frame);
    else
      this.refuse(header, ERROR_CODE.operationDenied, `vfio-warden refuses this monitor command: ${reason}`);
  }

  private takeXmlCall(header: FrameHeader, payload: Buffer): void {
    const located = locateXml(XML_CALLS.get(header.procedure)!, payload);
    const judgement = this.judge!.judge(located, payload);
    if (!(judgement instanceof Promise)) {
      this.finish(header, located, judgement);
      return;
    }
    this.judging += 1;
    this.regulate();
    void judgement.then((settled) => {
      this.judging -= 1;
      this.guarded(() => this.finish(header, located, settled));
      this.regulate();
    });
  }

  private finish(header: FrameHeader, located: LocatedCall, judgement: Judgement): void {
    if (this.ended) return;
    const { serial, procedure } = header;
    if (this.open.has(serial)) {
      // The answers could not be told apart, and one call's decision would be taken for the other's.
      this.refuse(header, ERROR_CODE.rpc, `call ${serial} is not answered yet, and here it is again`);
      return;
    }
    this.observer.judged(located, judgement);
    if (judgement.action === 'refuse') {
      this.refuse(header, judgement.code, judgement.message);
      return;
    }
    if (this.open.size < MAX_OPEN_CALLS) this.open.set(serial, { procedure, located, judgement });
    this.write(this.libvirt, encodeFrame(header, judgement.payload));
  }

  private takeAnswer(frame: Buffer, header: FrameHeader): void {
    if (header.type === TYPE.replyWithFds) {
      this.unanswered += 1;
      this.refuse(header, ERROR_CODE.noSupport, NO_DESCRIPTORS);
      return;
    }
    const { located, judgement } = this.open.get(header.serial)!;
    this.open.delete(header.serial);
    this.write(this.client, frame);
    this.observer.answered(located, judgement, header.status === STATUS.ok, frame.subarray(HEADER_BYTES));
  }

  private refuse(header: FrameHeader, code: number, message: string): void {
    this.unanswered -= 1;
    this.observer.refused(message);
    const error = new LibvirtError({ code, domain: ERROR_DOMAIN.qemu, message });
    this.answers.push(encodeFrame({ ...header, type: TYPE.reply, status: STATUS.error }, encodeError(error)));
    this.sendAnswers();
  }

  private sendAnswers(): void {
    // Not into the middle of a frame that libvirt is sending.
    while (this.answers.length > 0 && this.fromLibvirt.atBoundary && !this.ended) {
      if (!this.client.write(this.answers.shift()!)) this.answerUnread = true;
    }
    if (this.client.isPaused() || this.answerUnread || this.answers.length > 0) this.regulate();
    this.endIfDrained();
  }
}

function setPaused(socket: Socket, paused: boolean): void {
  if (paused === socket.isPaused()) return;
  if (paused) socket.pause();
  else socket.resume();
}

/** The command of `qemu_domain_monitor_command_args`: the domain, the command, flags. */
function readMonitorCommand(payload: Buffer): string {
  const reader = new XdrReader(payload);
  readDomainRef(reader);
  return reader.text();
}
