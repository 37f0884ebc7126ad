import { LocatedError } from '../../located-error.js';
import type { Probe } from '../host-capabilities.js';
import type { GuardProgram } from './guard-program.js';

/**
 * Whether the guard is in force: attached, and tested just now by a read that only it can answer. Attaches nothing
 * itself, so that a dry run changes nothing.
 */
export async function probeGuard(program: Pick<GuardProgram, 'status'>): Promise<Probe> {
  try {
    const { attached, tested, missing, mode, program: tag } = await program.status();
    if (!attached) {
      const detail = missing.length > 0 ? `not attached (${missing.join(', ')} missing)` : 'not attached';
      return { state: 'absent', detail: `the kernel guard is ${detail}` };
    }
    if (!tested) return { state: 'absent', detail: 'the kernel guard did not see the access that tests it' };
    if (mode === 'off') return { state: 'absent', detail: 'the kernel guard is switched off on this host' };
    return {
      state: 'ready',
      detail: `the kernel guard (program ${tag}) is attached, and saw the access that tests it`,
    };
  } catch (error) {
    const detail = error instanceof LocatedError ? `${error.place}: ${error.problem}` : String(error);
    return { state: 'absent', detail: `the kernel guard cannot be used: ${detail}` };
  }
}
