/** The connection is gone. All calls that it leaves without an answer are rejected with this one error. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';

  constructor(reason: string, options?: ErrorOptions) {
    super(`the connection to libvirt is gone: ${reason}`, options);
  }
}

/** libvirt knows no way to take a call back: what was asked for may happen yet, where it was sent. */
export class CallTimeout extends Error {
  override readonly name = 'CallTimeout';

  constructor(
    /** The procedure's name. */
    readonly call: string,
    readonly timeoutMs: number,
    /** Whether libvirt had been asked, or the call was still waiting for others to be answered. */
    readonly sent: boolean,
  ) {
    super(
      `libvirt did not answer ${call} within ${timeoutMs} ms` + (sent ? '' : ', and had not yet been asked'),
    );
  }
}
