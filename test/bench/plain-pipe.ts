import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('pipe-process.ts', import.meta.url));

/** A process that passes each connection on and looks at nothing. */
export class PlainPipe {
  private constructor(
    private readonly child: ChildProcess,
    readonly socket: string,
  ) {}

  /** @param target the socket that it leads to */
  static async start(socket: string, target: string): Promise<PlainPipe> {
    const child = fork(PROGRAM, [socket, target]);
    await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(() => {
        throw new Error('the plain pipe did not start');
      }),
    ]);
    return new PlainPipe(child, socket);
  }

  async stop(): Promise<void> {
    const exit = once(this.child, 'exit');
    this.child.disconnect();
    await exit;
  }
}
