import type { CaseResult } from './test-runner.js';

/** Results in the format that pipelines read (JUnit's XML as Jenkins, GitLab and GitHub's actions take it). */
export function junitReport(results: readonly CaseResult[]): string {
  const suites = new Map<string, CaseResult[]>();
  for (const result of results) suites.set(result.test, [...(suites.get(result.test) ?? []), result]);
  const failed = (cases: readonly CaseResult[]) => cases.filter(({ failures }) => failures.length > 0).length;
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites tests="${results.length}" failures="${failed(results)}">`,
  ];
  for (const [name, cases] of suites) {
    lines.push(`  <testsuite name="${escape(name)}" tests="${cases.length}" failures="${failed(cases)}">`);
    for (const { name: title, file, failures } of cases) {
      const open = `    <testcase classname="${escape(name)}" name="${escape(title)}" file="${escape(file)}"`;
      if (failures.length === 0) lines.push(`${open}/>`);
      else {
        lines.push(
          `${open}>`,
          `      <failure message="${escape(failures[0]!)}">${escape(failures.join('\n'))}</failure>`,
          '    </testcase>',
        );
      }
    }
    lines.push('  </testsuite>');
  }
  return `${[...lines, '</testsuites>'].join('\n')}\n`;
}

function escape(text: string): string {
  return text
    .replaceAll(/[^\P{Cc}\n\t]/gu, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\n', '&#10;');
}
