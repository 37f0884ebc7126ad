import { join } from 'node:path';
import type { Logger } from 'pino';
import { PACKAGE_ROOT, type Settings } from '../config/settings.js';
import { DecisionJournal } from '../store/decision-journal.js';
import { ReopeningStore } from '../store/reopening-store.js';
import type { Store } from '../store/store.js';
import { STOP_MS, type Part } from './lifecycle.js';

/** Milliseconds between two looks at what is too old to be kept. */
const PRUNE_MS = 60 * 60 * 1000;

/** The store and the journal in front of it. It is the first to start and the last to stop, since all others write. */
export class StorePart implements Part {
  readonly name = 'store';
  readonly store: Store;
  readonly journal: DecisionJournal;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly settings: Settings,
    private readonly logger: Logger,
  ) {
    const { databaseUrl, stateDirectory, hostName: host } = settings;
    const sqliteFile = join(stateDirectory, 'decisions.sqlite');
    const checkpointProgram = join(PACKAGE_ROOT, 'dist/store/sqlite-checkpoint-worker.js');
    this.store = new ReopeningStore(async () => {
      // A database's driver is no small thing to load, and the first decision does not wait for it.
      const { openStore } = await import('../store/open-store.js');
      return openStore({
        sqliteFile,
        checkpointProgram,
        host,
        ...(databaseUrl !== undefined && { databaseUrl }),
      });
    });
    this.journal = new DecisionJournal(this.store, { host });
  }

  async start(): Promise<void> {
    this.timer = setInterval(() => void this.prune(), PRUNE_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    const written = await this.journal.flush(STOP_MS / 2);
    await this.store.close();
    if (!written) throw new Error(`${this.journal.status().pending} entries could not be written`);
  }

  private async prune(): Promise<void> {
    const { retentionDays: days, retentionDecisions: decisions } = this.settings;
    try {
      const gone = await this.store.prune({ days, decisions }, new Date());
      if (gone > 0) this.logger.info({ decisions: gone }, 'old decisions were deleted');
    } catch (error) {
      this.logger.warn({ err: error }, 'old decisions could not be deleted');
    }
  }
}
