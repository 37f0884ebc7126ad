import SqliteConnection from 'better-sqlite3';
import { parentPort, workerData } from 'node:worker_threads';
import type { CheckpointJob, CheckpointResult } from './sqlite-checkpoints.js';

const { file, busy } = workerData as CheckpointJob;

/** The thread of `SqliteCheckpoints`: at each message it copies what of the log can be copied without holding up anybody. */
parentPort!.on('message', () => {
  try {
    checkpoint();
  } finally {
    Atomics.store(busy, 0, 0);
    Atomics.notify(busy, 0);
  }
});

function checkpoint(): void {
  let connection: SqliteConnection.Database;
  try {
    connection = new SqliteConnection(file, { fileMustExist: true, timeout: 0 });
  } catch {
    // It was moved aside.
    return;
  }
  try {
    const [result] = connection.pragma('wal_checkpoint(PASSIVE)') as CheckpointResult[];
    parentPort!.postMessage(result!, []);
  } catch {
    // Locked, full or broken: whoever writes finds out by himself, and the next time may do.
  } finally {
    connection.close();
  }
}
