import { Worker } from 'node:worker_threads';

/** What is written, by a generous estimate, before the log is copied into the database. */
const LOG_BYTES = 16 * 2 ** 20;
/** Bytes of the log that a changed row takes at least (a page). */
const PAGE_BYTES = 4096;
/** The log's size from which on its writer copies what the thread has left: it begins anew only when all was copied. */
const LONGEST_LOG_BYTES = 3 * LOG_BYTES;
/** How long somebody who closes the database waits for a copy that is being made. */
const CLOSE_MS = 5_000;

/** What the thread is given: the file, and a cell that is 1 while the thread has the file open. */
export interface CheckpointJob {
  file: string;
  busy: Int32Array;
}

/** What it answers: pages in the log, and how many of them it has copied (`sqlite3_wal_checkpoint_v2`). */
export interface CheckpointResult {
  log: number;
  checkpointed: number;
}

export interface CheckpointEvents {
  /** More was written all the while than could be copied: whoever writes must copy the rest, which is little. */
  behind(): void;
  /** The thread cannot be had: whoever writes must do it by himself from now on. */
  failed(): void;
}

/**
 * Has the write-ahead log copied into its database by a thread of its own. SQLite does that within a commit by default, and
 * waits for the disk twice: on a busy disk that is the longest that decisions ever wait for.
 */
export class SqliteCheckpoints {
  private readonly busy = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  private worker: Worker | undefined;
  private unseen = 0;

  /**
   * @param program the compiled `sqlite-checkpoint-worker.ts`
   */
  constructor(
    private readonly file: string,
    private readonly program: string,
    private readonly events: CheckpointEvents,
  ) {}

  /** Rows were changed. */
  wrote(parameters: readonly unknown[], changes: number): void {
    this.unseen += changes * PAGE_BYTES;
    for (const parameter of parameters) if (typeof parameter === 'string') this.unseen += parameter.length;
  }

  /** A transaction is over. */
  committed(): void {
    if (this.unseen < LOG_BYTES || Atomics.load(this.busy, 0) === 1) return;
    this.unseen = 0;
    Atomics.store(this.busy, 0, 1);
    this.worker ??= this.start();
    this.worker.postMessage('checkpoint', []);
  }

  /**
   * Waits until the thread does not have the file open, and ends it. Whoever closes a database last removes its log by name:
   * that must be who opened it, before another database has that name.
   */
  close(): void {
    Atomics.wait(this.busy, 0, 1, CLOSE_MS);
    void this.worker?.terminate();
    this.worker = undefined;
  }

  private start(): Worker {
    const job: CheckpointJob = { file: this.file, busy: this.busy };
    const worker = new Worker(this.program, { workerData: job });
    worker.unref();
    worker.on('message', ({ log, checkpointed }: CheckpointResult) => {
      if (log > checkpointed && log * PAGE_BYTES > LONGEST_LOG_BYTES) this.events.behind();
    });
    worker.on('error', () => {
      Atomics.store(this.busy, 0, 0);
      this.events.failed();
    });
    return worker;
  }
}
