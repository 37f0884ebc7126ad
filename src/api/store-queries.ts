import { Logger } from '@nestjs/common';
import { refusalsOf } from '../located-error.js';
import type { Store } from '../store/store.js';
import { ProblemError } from './problem-details.js';

/** How long the store may take to answer, in milliseconds. */
const TIMEOUT_MS = 5000;

/** The store as the API asks it: a store that is away, or silent, is a problem with a name. */
export class StoreQueries {
  private readonly logger = new Logger(StoreQueries.name);

  constructor(private readonly store: Store) {}

  /** @throws ProblemError 503 while the store is away; what the question itself throws for bad input */
  async ask<T>(question: (store: Store) => Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${TIMEOUT_MS} ms`)), TIMEOUT_MS);
    });
    try {
      return await Promise.race([question(this.store), timeout]);
    } catch (error) {
      if (error instanceof ProblemError || refusalsOf(error)) throw error;
      this.logger.warn(
        `the decision store is away: ${error instanceof Error ? error.message : String(error)}`,
      );
      throw new ProblemError(503, 'the decision store is away', {
        remedy: 'Ask again later; VMs are not held up by it. GET /v1/host says more.',
      });
    } finally {
      clearTimeout(timer);
    }
  }
}
