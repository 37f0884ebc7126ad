import { readFile, writeFile } from 'node:fs/promises';
import type { CaseResult } from '../cases/lab-case.js';
import { evidenceTable } from './table.js';

/** What one run of the lab has shown. */
export interface Evidence {
  host: string;
  /** Those that the run was to see; absent: all. */
  columns?: string | undefined;
  versions: Record<string, string>;
  cases: ({ name: string; summary: string } & CaseResult)[];
}

const headOf = (file: string) => `# Evidence

Made by the lab (\`lab/README.md\`), a section by each run with \`--evidence ${file}\`; not edited by hand. Accesses of
guests to real vfio-pci in a nested host, as the devices' side saw them. "claimed" is the table in
\`src/mitigation/coverage.ts\`.
`;

/** Puts a run's section in the place of an earlier one with the same host, columns and cases; the others stay. */
export async function writeEvidence(file: string, evidence: Evidence): Promise<void> {
  const before = await readFile(file, 'utf8').catch(() => '');
  const sections = new Map<string, string>();
  for (const section of before.split(/^(?=## )/m).filter((part) => part.startsWith('## '))) {
    sections.set(commandIn(section), section.trim());
  }
  const section = sectionOf(evidence).trim();
  sections.set(commandIn(section), section);
  const ordered = [...sections].toSorted(([a], [b]) => a.localeCompare(b)).map(([, text]) => text);
  await writeFile(file, `${[headOf(file).trim(), ...ordered].join('\n\n')}\n`);
}

/** What a section is made with, and so what it is told apart by. */
function commandIn(section: string): string {
  return /^Again.*: `(.*)`$/m.exec(section)?.[1] ?? section;
}

function sectionOf({ host, columns, versions, cases }: Evidence): string {
  const parts = cases.flatMap(({ name, summary, cells, seen, failures }) => [
    `### ${name}`,
    `${summary[0]!.toUpperCase()}${summary.slice(1)}.`,
    ...(cells ? [evidenceTable(cells), 'Each cell: claimed / seen at hardware (accesses).'] : []),
    [...seen, ...failures.map((failure) => `**differs**: ${failure.split('\n')[0]}`)]
      .map((line) => `- ${line}`)
      .join('\n'),
  ]);
  return [
    `## ${host}`,
    `${Object.values(versions).join(', ')}.`,
    `Seen on ${new Date().toISOString().slice(0, 10)}.`,
    `Again: \`npm run lab -- --host ${host}${columns === undefined ? '' : ` --columns ${columns}`} ${cases.map(({ name }) => name).join(' ')}\``,
    ...parts,
  ].join('\n\n');
}
