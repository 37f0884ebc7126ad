import type { Logger } from 'pino';
import type { Settings } from '../config/settings.js';
import type { DecisionBasis } from '../decision/decision.service.js';
import { LocatedError } from '../located-error.js';
import type { PolicyActivation } from '../policy/activation/policy-activation.js';
import { compileDirectory } from '../policy/bundle/compile-bundle.js';
import { SourceRefusal } from '../policy/sources/source-refusal.js';
import { RiskDatabase } from '../risk/risk-database.js';

/**
 * What is decided by at first: the last revision that was in force, or what the directory holds. Until a Git remote's first
 * revision is in force, the directory is what counts.
 *
 * @throws LocatedError where there is nothing to decide by
 */
export async function firstPolicies(
  settings: Settings,
  activation: PolicyActivation,
  logger: Logger,
): Promise<Pick<DecisionBasis, 'policy' | 'risks'>> {
  const { revision, problems } = await activation.restore();
  for (const problem of problems) logger.error(problem);
  if (revision) {
    const { record, policy, risks } = revision;
    logger.info({ commit: record.commit }, `revision ${record.id.slice(0, 12)} is in force, as before`);
    return { policy, risks };
  }
  if (settings.policyGit !== undefined) {
    const { policy, risks } = await compileDirectory(settings.policies, settings.risks);
    return { policy, risks: new RiskDatabase(risks) };
  }
  try {
    return await activation.begin();
  } catch (error) {
    if (!(error instanceof SourceRefusal)) throw error;
    throw new LocatedError(error.message, settings.policies, 'Mend it, and start again.');
  }
}
