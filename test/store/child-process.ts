import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** Runs one of the programs beside this file, as a process of its own; `before` is put before the command. */
export function spawnProgram(
  name: string,
  args: readonly string[],
  before: readonly string[] = [],
): ChildProcess {
  const program = fileURLToPath(new URL(name, import.meta.url));
  const [command, ...rest] = [...before, process.execPath, '--import', 'tsx', program, ...args];
  return spawn(command!, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
}

/** What the process has written once it is over. */
export async function outputOf(child: ChildProcess): Promise<string> {
  const parts: string[] = [];
  child.stdout!.setEncoding('utf8').on('data', (part: string) => parts.push(part));
  await once(child, 'close');
  return parts.join('');
}

/** Waits for a line that starts so. */
export async function lineOf(child: ChildProcess, start: string): Promise<void> {
  let text = '';
  for await (const part of child.stdout!.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    text += part as string;
    if (text.split('\n').some((line) => line.startsWith(start))) return;
  }
  throw new Error(`the process ended without "${start}": ${text}`);
}
