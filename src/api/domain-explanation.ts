import { explain, type NameFunction } from '../decision/explanation.js';
import type { DecisionRecord, DomainRecord, StoredEvent } from '../store/records.js';
import { printable } from './printable.js';

export interface ExplainedDomain {
  domain: DomainRecord;
  /** The decision in force, where it is still kept. */
  record: DecisionRecord | undefined;
  /** Newest first. */
  events: readonly StoredEvent[];
}

/** Why a domain has its restrictions, whose it is, and what happened to it: plain text for a terminal. */
export function explainDomain({ domain, record, events }: ExplainedDomain, nameOf: NameFunction): string {
  const lines = [
    record ? explain(record.decision, nameOf).trimEnd() : withoutDecision(domain),
    '',
    `Now: ${stateOf(domain)}`,
    ...ownerLines(domain),
  ];
  if (events.length > 0) lines.push('', 'What happened since:', ...events.toReversed().map(eventLine));
  return printable(`${lines.join('\n')}\n`);
}

function withoutDecision({ name, decisionId }: DomainRecord): string {
  return decisionId === undefined
    ? `${name}: nothing has been decided about it yet`
    : `${name}: decision ${decisionId} is in force, but is not kept any more`;
}

function stateOf({ active, persistent, unprotected, host }: DomainRecord): string {
  if (!active && !persistent) return `gone from ${host}`;
  const runs = active ? `runs on ${host}` : `does not run; defined on ${host}`;
  const gap = active ? 'WITHOUT what policy asks for' : 'would start WITHOUT what policy asks for';
  return [runs, !persistent && 'not persistent', unprotected && gap].filter(Boolean).join(', ');
}

function ownerLines({ owner }: DomainRecord): string[] {
  const { instanceName, projectName, projectId, userName, flavor } = owner;
  const project = [projectName, projectId && (projectName ? `(${projectId})` : projectId)]
    .filter(Boolean)
    .join(' ');
  const parts = [
    instanceName && `instance ${instanceName}`,
    project && `project ${project}`,
    userName && `user ${userName}`,
    flavor && `flavor ${flavor}`,
  ].filter(Boolean);
  return parts.length > 0 ? [`Owner: ${parts.join(', ')}`] : [];
}

function eventLine({ at, kind, actor, detail }: StoredEvent): string {
  return `  ${at} ${kind}${actor === undefined ? '' : ` by ${actor}`}: ${detail}`;
}
