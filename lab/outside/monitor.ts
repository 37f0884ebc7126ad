import type { Socket } from 'node:net';

/** QEMU's monitor (QMP), as far as the lab uses it: commands of the human monitor, one after the other. */
export class Monitor {
  readonly #waiting: { resolve: (answer: string) => void; reject: (error: Error) => void }[] = [];
  #rest = '';

  constructor(private readonly socket: Socket) {
    socket.setEncoding('utf8');
    socket.on('error', () => undefined);
    socket.on('data', (text: string) => this.#receive(text));
    socket.on('close', () => {
      for (const { reject } of this.#waiting.splice(0)) reject(new Error('the machine is off'));
    });
    void this.#execute({ execute: 'qmp_capabilities' }).catch(() => undefined);
  }

  async command(line: string): Promise<string> {
    return this.#execute({ execute: 'human-monitor-command', arguments: { 'command-line': line } });
  }

  close(): void {
    this.socket.destroy();
  }

  async #execute(message: unknown): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.socket.write(`${JSON.stringify(message)}\n`);
    });
  }

  #receive(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop()!;
    for (const line of lines.filter((candidate) => candidate.trim() !== '')) {
      const message = JSON.parse(line) as { return?: unknown; error?: { desc: string } };
      if (message.error) this.#waiting.shift()?.reject(new Error(message.error.desc));
      else if ('return' in message) {
        this.#waiting.shift()?.resolve(typeof message.return === 'string' ? message.return : '');
      }
    }
  }
}
