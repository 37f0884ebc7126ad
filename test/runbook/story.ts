import { readFileSync } from 'node:fs';

/** Commands of a section, and what it shows that they print. */
export interface Step {
  commands: string;
  /** Lines, in which `...` stands for anything; undefined where none are shown. */
  shown: readonly string[] | undefined;
  /** Days since the story's beginning, where the text says that some have passed. */
  day: number | undefined;
}

/** The fenced commands of one section of docs/runbook.md, in order. @throws Error where there is no such section */
export function storyOf(title: string): Step[] {
  const runbook = readFileSync('docs/runbook.md', 'utf8');
  const section = runbook.split(/^## /m).find((text) => text.startsWith(`${title}\n`));
  if (section === undefined) throw new Error(`docs/runbook.md has no section "${title}"`);
  const steps: Step[] = [];
  for (const [, before, language, content] of section.matchAll(/([^]*?)^```(sh|text)\n([^]*?)^```$/gm)) {
    if (language === 'sh') {
      const day = /\b(\d+)\s+days\s+(?:later|after)\b[^.]*:\s*$/.exec(before!)?.[1];
      steps.push({ commands: content!, shown: undefined, day: day === undefined ? undefined : Number(day) });
    } else steps.at(-1)!.shown = content!.trimEnd().split('\n');
  }
  return steps;
}

/** The first line that is shown and was not printed after those before it; undefined where all were. */
export function firstMissing(shown: readonly string[], printed: string): string | undefined {
  const lines = printed.split('\n');
  let at = 0;
  for (const expected of shown) {
    const words = expected.trim().split(/\s+/);
    const parts = words.map((word) => word.split('...').map(escaped).join('.*?'));
    const pattern = new RegExp(
      `^\\s*${parts.join('\\s+').replaceAll('\\s+.*?', '\\s*.*?').replaceAll('.*?\\s+', '.*?\\s*')}\\s*$`,
    );
    const found = lines.findIndex((line, index) => index >= at && pattern.test(line));
    if (found === -1) return expected;
    at = found + 1;
  }
  return undefined;
}

function escaped(text: string): string {
  return text.replaceAll(/[$()*+.?[\\\]^{|}]/g, '\\$&');
}
