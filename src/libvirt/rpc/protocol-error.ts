/** Bytes that libvirt's protocol does not allow. What came after them in the same stream cannot be trusted either. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';

  constructor(
    readonly problem: string,
    /** Where in the bytes that were read, from 0; absent where the problem has no single place. */
    readonly offset?: number,
  ) {
    super(offset === undefined ? problem : `${problem} (at byte ${offset})`);
  }
}
