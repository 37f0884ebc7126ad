import { EXPOSURES } from '../risk/exposure.js';
import type { CompatibilityNeed, RiskStatement } from '../risk/finding.js';
import type { RiskAssessment } from '../risk/risk-database.js';

/** What the risk database says of a device, for people. */
export function riskReport(title: string, assessment: RiskAssessment): string {
  const { risks, needs, mirrors, notices, overridden } = assessment;
  const lines = [title];
  const section = (heading: string, entries: readonly string[]) => {
    if (entries.length > 0) lines.push('', heading, ...entries.map((entry) => `  ${entry}`));
  };
  section(
    'Risks',
    risks.flatMap(({ exposure, trapped, risk }) => [
      `${exposure} (${EXPOSURES[exposure]})${trapped === undefined ? '' : trapped ? ', trapped by QEMU' : ', not trapped by QEMU'}`,
      ...statement(risk),
    ]),
  );
  section('Registers that must stay reachable', needs.map(describeNeed));
  section(
    'Windows that mirror config space',
    mirrors.map(
      ({ bar, offset, size, trappedByQemu, when, entry }) =>
        `BAR${bar} + 0x${offset.toString(16)}, ${size} bytes, trapped by QEMU: ${trappedByQemu}` +
        `${when === undefined ? '' : ` (${when})`} (${entry})`,
    ),
  );
  section(
    'Noted',
    notices.map(({ reason, risk, detail }) => `${reason}: ${risk.summary} ${detail} (${risk.entry})`),
  );
  section(
    'Overridden by more specific entries',
    overridden.map(({ entry, exposure, by }) => `${entry} about ${exposure}, by ${by.join(', ')}`),
  );
  if (lines.length === 1) lines.push('', 'The risk database says nothing of it.');
  return lines.join('\n');
}

function statement({
  entry,
  severity,
  effect,
  knownBy,
  confidence,
  summary,
  advice,
  limits,
  evidence,
}: RiskStatement) {
  return [
    `  ${severity}, ${effect}, known by ${knownBy}, ${confidence}: ${summary} (${entry})`,
    ...(advice === undefined ? [] : [`  advice: ${advice}`]),
    ...(limits === undefined ? [] : [`  but: ${limits}`]),
    ...evidence.map(({ source, reference, date }) => `  evidence: ${source}, ${reference}, ${date}`),
  ];
}

function describeNeed({ entry, summary, ranges, access, by }: CompatibilityNeed): string {
  const where = ranges
    ? ranges.map(({ from, to }) => `0x${from.toString(16)}-0x${to.toString(16)}`).join(', ')
    : 'nobody has told which';
  const how = [access?.join(' and '), by && `by ${by.join(' and ')}`].filter(Boolean).join(' ');
  return `${where}${how ? ` (${how})` : ''}: ${summary} (${entry})`;
}
