import { fileURLToPath } from 'node:url';
import { runCommand } from './run-command.js';

const SOURCE = fileURLToPath(new URL('../../kernel/guard', import.meta.url));

/**
 * Builds the guard out of this project, where it is not up to date.
 *
 * @throws Error where it cannot be built on this machine
 */
export async function buildGuard(): Promise<void> {
  await runCommand('make', ['-s', '-C', SOURCE]);
}
