import { destination, pino, stdTimeFunctions, type Logger } from 'pino';
import type { LogLevel } from '../config/settings.js';
import { TerminalLog } from './terminal-log.js';

/** Bytes of log lines that wait for a reader that is slow; what comes on top is lost, so that no VM waits for a log. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

/**
 * The service's log on standard output: a JSON object a line, or lines for people where a terminal reads. What belongs to
 * a decision is logged by a child, `logger.child({ decision: id })`.
 */
export function createLogger(level: LogLevel, onTerminal = process.stdout.isTTY): Logger {
  const options = {
    level,
    // The journal, or whatever collects the lines, knows process and host.
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  if (onTerminal) return pino(options, new TerminalLog(process.stdout));
  return pino(options, destination({ fd: 1, sync: false, maxLength: MAX_WAITING_BYTES }));
}
