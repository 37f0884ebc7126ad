import 'reflect-metadata';
import { loadSettings } from '../config/load-settings.js';
import { refusalsOf } from '../located-error.js';
import { PolicyProcess } from '../policy/activation/policy-process.js';
import type { WorkerStarter } from '../policy/activation/worker-starter.js';
import { compose } from './compose.js';
import { Lifecycle } from './lifecycle.js';
import { createLogger } from './logger.js';
import { handleProcessEvents } from './process-events.js';
import { SystemdNotifier } from './systemd-notifier.js';

let logger = createLogger('info');

async function start(workers: WorkerStarter): Promise<void> {
  const settings = await loadSettings(process.env);
  logger = createLogger(settings.logLevel);
  const systemd = new SystemdNotifier(process.env, (reason) => logger.warn(reason));
  const { parts, reload } = await compose(settings, new PolicyProcess(workers), logger);
  const lifecycle = new Lifecycle(parts);
  const stop = async () => {
    const [failures] = await Promise.all([lifecycle.stop(), systemd.stopping()]);
    for (const { name, reason } of failures) logger.error({ part: name, err: reason }, 'a part did not stop');
  };
  handleProcessEvents({ stop, reload }, logger);
  await lifecycle.start();
  const summary = `listening on ${settings.listen}, host switch ${settings.mode}`;
  logger.info({ startedMs: Math.round(performance.now()) }, summary);
  await systemd.ready(summary);
}

/**
 * The service, from its settings to its end by a signal.
 *
 * @param workers start the processes that read revisions
 */
export async function run(workers: WorkerStarter): Promise<void> {
  try {
    await start(workers);
  } catch (error) {
    const refusals = refusalsOf(error);
    if (refusals) for (const { message } of refusals) logger.fatal(message);
    else logger.fatal({ err: error }, 'the service could not start');
    // What had started is stopped, but a connection may keep the process.
    logger.flush(() => process.exit(1));
  }
}
