/** How text is written to a terminal, or to a file that somebody reads later. */
export interface Terminal {
  /** Columns of a line, 80 to 110. */
  width: number;
  paint: (style: Style, text: string) => string;
}

export type Style = 'bold' | 'dim' | 'red' | 'yellow' | 'green';

const CODES: Record<Style, string> = { bold: '1', dim: '2', red: '31', yellow: '33', green: '32' };

const NARROWEST = 80;
const WIDEST = 110;

/** Colour only for people: on a terminal, and where NO_COLOR (no-color.org) does not ask for none. */
export function terminalOf(
  stream: { isTTY?: boolean; columns?: number },
  environment: NodeJS.ProcessEnv,
): Terminal {
  const coloured = stream.isTTY === true && !environment.NO_COLOR && environment.TERM !== 'dumb';
  const columns = stream.columns ?? WIDEST;
  return {
    width: Math.min(WIDEST, Math.max(NARROWEST, columns)),
    paint: (style, text) => (coloured ? `\x1b[${CODES[style]}m${text}\x1b[0m` : text),
  };
}

/** Folds text at spaces; the first line follows `head`, the others are indented as far. */
export function fold(head: string, text: string, width: number): string[] {
  const lines: string[] = [];
  const indent = ' '.repeat(head.length);
  let line = head;
  let empty = true;
  for (const word of text.split(' ')) {
    if (!empty && line.length + 1 + word.length > width) {
      lines.push(line);
      line = indent + word;
    } else {
      line += empty ? word : ` ${word}`;
    }
    empty = false;
  }
  return [...lines, line];
}
