import type { Logger } from 'pino';

export interface ProcessActions {
  /** Finishes calls in flight and lets go of everything. */
  stop(): Promise<void>;
  /** Reads again what may have changed. */
  reload(): Promise<void>;
}

/**
 * Connects the process's signals with the service: SIGTERM and SIGINT stop it, a second one ends it at once, SIGHUP
 * reloads. An exception that nobody caught ends the process, because its state is unknown; systemd starts it again.
 */
export function handleProcessEvents(actions: ProcessActions, logger: Logger): void {
  let stopping = false;
  const stop = async (signal: NodeJS.Signals) => {
    if (stopping) {
      logger.warn(`${signal} again: calls in flight are cut`);
      exit(logger, 1);
      return;
    }
    stopping = true;
    logger.info(`${signal}: stopping`);
    await actions.stop();
    exit(logger, 0);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('SIGHUP', () => {
    if (!stopping) void actions.reload();
  });
  const fail = (error: unknown) => {
    logger.fatal({ err: error }, 'an exception that nobody caught');
    exit(logger, 1);
  };
  process.on('uncaughtException', fail);
  process.on('unhandledRejection', fail);
}

/** Ends the process when the last lines are out. */
function exit(logger: Logger, code: number): void {
  // A reader that is gone must not keep the process.
  setTimeout(() => process.exit(code), 1000);
  logger.flush(() => process.exit(code));
}
