#!/usr/bin/env node
import 'reflect-metadata';
import { loadSettings } from './config/load-settings.js';
import { refusalsOf } from './located-error.js';
import { compose } from './service/compose.js';
import { Lifecycle } from './service/lifecycle.js';
import { createLogger } from './service/logger.js';
import { handleProcessEvents } from './service/process-events.js';
import { SystemdNotifier } from './service/systemd-notifier.js';

let logger = createLogger('info');

async function start(): Promise<void> {
  const settings = await loadSettings(process.env);
  logger = createLogger(settings.logLevel);
  const systemd = new SystemdNotifier(process.env, (reason) => logger.warn(reason));
  const { parts, reload } = await compose(settings, logger);
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

try {
  await start();
} catch (error) {
  const refusals = refusalsOf(error);
  if (refusals) for (const { message } of refusals) logger.fatal(message);
  else logger.fatal({ err: error }, 'the service could not start');
  // What had started is stopped, but a connection may keep the process.
  logger.flush(() => process.exit(1));
}
