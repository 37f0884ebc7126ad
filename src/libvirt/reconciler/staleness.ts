import type { Decision } from '../../decision/decision.js';
import type { DomainDocument } from '../../domain-xml/domain-document.js';
import { findMetadata } from '../../domain-xml/metadata.js';
import { describeUncovered } from '../../decision/refusal.js';
import { isUnprotected } from '../../decision/protection.js';

/**
 * What a running domain needs to have what policy asks for now.
 *
 * @param running decided with the hardware that it has
 * @param next decided as at its next start
 * @returns undefined where it has that already
 */
export function whatBringsUpToDate(
  running: Decision,
  next: Decision,
  document: DomainDocument,
): string | undefined {
  if (next.verdict === 'denied') {
    return `policy refuses its next start: ${describeUncovered(next)}; change the policy, or take the device out`;
  }
  if (next.edits.length > 0) {
    const edits = next.edits.map(({ target, summary }) => `${target}: ${summary}`).join('; ');
    return `shut it down and start it again, which makes these edits: ${edits}`;
  }
  if (isUnprotected(running)) {
    return (
      `${describeUncovered(running)}; a restart alone does not help: define it anew while policy may change its ` +
      'hardware, or let the policy rule change it (topologyChange)'
    );
  }
  const idle = running.devices.filter(
    ({ required, mode, plan }) =>
      (required.length === 0 || mode !== 'enforce') &&
      plan.alreadyClosed.some(({ by }) => by === 'conventional-bus' || by === 'i440fx'),
  );
  if (idle.length > 0 && findMetadata(document.root)) {
    const devices = idle.map(({ source, place }) => source ?? place).join(', ');
    return `${devices} stays where an edit put it that policy no longer asks for: define the domain from its template again, and restart it`;
  }
  return undefined;
}
