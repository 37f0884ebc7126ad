import { withoutControls } from '../documents/located-yaml.js';

interface LogLine {
  time: string;
  level: string;
  msg?: string;
  err?: { stack?: string };
  [field: string]: unknown;
}

/** Turns the logger's JSON into lines for people: `12:00:00.000 warn  what happened decision=wd-1`. */
export class TerminalLog {
  constructor(private readonly out: { write(text: string): unknown }) {}

  write(json: string): void {
    const { time, level, msg, err, ...fields } = JSON.parse(json) as LogLine;
    const rest = Object.entries(fields).map(([name, value]) => ` ${name}=${textOf(value)}`);
    const stack = err?.stack === undefined ? '' : `\n${err.stack}`;
    this.out.write(
      `${time.slice(11, 23)} ${level.padEnd(5)} ${withoutControls(msg ?? '')}${rest.join('')}${stack}\n`,
    );
  }
}

function textOf(value: unknown): string {
  return withoutControls(typeof value === 'string' ? value : JSON.stringify(value));
}
