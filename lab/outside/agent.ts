import type { Socket } from 'node:net';

export interface Finished {
  code: number;
  out: string;
  err: string;
}

type Answer = Record<string, unknown> & { id: number; error?: string };

/** The runner's side of `l1/agent.py`: orders that the lab's host carries out. */
export class Agent {
  readonly #socket: Socket;
  readonly #waiting = new Map<
    number,
    { resolve: (answer: Answer) => void; reject: (error: Error) => void }
  >();
  #last = 0;
  #rest = '';
  #gone: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.#receive(text));
    socket.on('error', () => undefined);
    socket.on('close', () => this.#end(new Error('the lab host is gone')));
  }

  /** Waits until the agent says that it is there. */
  static async greet(socket: Socket, timeoutMs: number): Promise<Agent> {
    const agent = new Agent(socket);
    await agent.#expect(0, timeoutMs);
    return agent;
  }

  /** @param timeout seconds */
  async exec(argv: readonly string[], options: { stdin?: string; timeout?: number } = {}): Promise<Finished> {
    const { timeout = 300, stdin } = options;
    const request: Record<string, unknown> = { exec: argv, timeout };
    if (stdin !== undefined) request['stdin'] = stdin;
    return (await this.#ask(request, timeout + 30)) as unknown as Finished;
  }

  /** @throws Error with what it printed if the command fails */
  async run(argv: readonly string[], options: { stdin?: string; timeout?: number } = {}): Promise<string> {
    const { code, out, err } = await this.exec(argv, options);
    if (code !== 0) throw new Error(`${argv.join(' ')}: exit ${code}: ${(err + out).slice(-2000)}`);
    return out;
  }

  /** Starts a daemon; what it prints goes to a file. */
  async spawn(argv: readonly string[], log: string, env: Record<string, string> = {}): Promise<number> {
    return (await this.#ask({ spawn: argv, log, env }, 60))['pid'] as number;
  }

  async writeFile(path: string, text: string): Promise<void> {
    await this.#ask({ write: path, text }, 60);
  }

  /** @param size most bytes to read */
  async readBytes(path: string, size: number): Promise<Uint8Array> {
    return Buffer.from((await this.#ask({ read: path, size }, 60))['hex'] as string, 'hex');
  }

  async readText(path: string): Promise<string> {
    return this.run(['cat', path]);
  }

  /**
   * Sends accesses of a guest to a virtual machine's qtest socket and returns the replies without their `OK`.
   *
   * @param fresh whether the machine is another one than was last spoken to at this path
   */
  async qtest(path: string, send: readonly string[], fresh = false): Promise<string[]> {
    const replies = (await this.#ask({ qtest: path, send, fresh }, 60))['replies'] as string[];
    return replies.map((reply, index) => {
      if (!reply.startsWith('OK')) throw new Error(`qtest ${send[index]}: ${reply || 'the machine is gone'}`);
      return reply.slice(3);
    });
  }

  /**
   * Sends a line to a guest's console and returns what it prints up to `until`, which must not be part of the line.
   *
   * @param timeout seconds
   * @param fresh whether the guest is another one than was last spoken to at this path
   */
  async console(
    path: string,
    send: string,
    { until, timeout = 300, fresh = false }: { until: string; timeout?: number; fresh?: boolean },
  ): Promise<string> {
    const request = { console: path, send, until, timeout, fresh };
    return (await this.#ask(request, timeout + 30))['text'] as string;
  }

  close(): void {
    this.#socket.destroy();
  }

  async #ask(request: Record<string, unknown>, timeoutSeconds: number): Promise<Answer> {
    if (this.#gone) throw this.#gone;
    this.#last += 1;
    const id = this.#last;
    const answered = this.#expect(id, timeoutSeconds * 1000);
    this.#socket.write(`${JSON.stringify({ id, ...request })}\n`);
    const answer = await answered;
    if (answer.error !== undefined) throw new Error(`lab host: ${answer.error}`);
    return answer;
  }

  async #expect(id: number, timeoutMs: number): Promise<Answer> {
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<Answer>((resolve, reject) => {
        this.#waiting.set(id, { resolve, reject });
        timer = setTimeout(
          () => reject(new Error(`the lab host did not answer in ${timeoutMs / 1000} s`)),
          timeoutMs,
        );
      });
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  #receive(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop()!;
    for (const line of lines) {
      const answer = JSON.parse(line) as Answer;
      this.#waiting.get(answer.id)?.resolve(answer);
    }
  }

  #end(error: Error): void {
    this.#gone = error;
    for (const { reject } of this.#waiting.values()) reject(error);
  }
}
