/** A file of modprobe.d, or the kernel's command line. */
export interface OptionSource {
  path: string;
  text: string;
}

/** What an option of a module is set to, and where: the last one in modprobe's order counts. */
export interface SetOption {
  value: string;
  path: string;
}

/**
 * The options of a module as modprobe would give them (modprobe.d(5)): `options MODULE NAME=VALUE ...`, lines that end with
 * a backslash go on, `-` and `_` are the same in names of modules. A name alone is a boolean that is set.
 *
 * @param sources in modprobe's order
 */
export function optionsOf(module: string, sources: readonly OptionSource[]): Map<string, SetOption> {
  const options = new Map<string, SetOption>();
  for (const { path, text } of sources) {
    for (const line of text.replaceAll(/\\\r?\n/g, ' ').split('\n')) {
      const [command, name, ...words] = line.trim().split(/\s+/);
      if (command !== 'options' || name?.replaceAll('-', '_') !== module) continue;
      for (const word of words) setOption(options, word, path);
    }
  }
  return options;
}

/** What the kernel's command line says of a module, `MODULE.NAME=VALUE`; modprobe takes it after all files. */
export function commandLineOptions(module: string, commandLine: string, path: string): OptionSource {
  const words = commandLine.split(/\s+/).flatMap((word) => {
    const [, name, option] = /^([\w-]+)\.(\w+(?:=\S*)?)$/.exec(word) ?? [];
    return name?.replaceAll('-', '_') === module ? [option!] : [];
  });
  return { path, text: words.length > 0 ? `options ${module} ${words.join(' ')}\n` : '' };
}

/** A boolean as the kernel's `kstrtobool` reads it; undefined for what it refuses. */
export function readBoolean(text: string | undefined): boolean | undefined {
  if (text === undefined) return undefined;
  if (/^([yYtT1]|[oO][nN])/.test(text)) return true;
  return /^([nNfF0]|[oO][fF])/.test(text) ? false : undefined;
}

/** `vvvv:dddd,...` as the parameter takes it; what is malformed it skips with a warning, and so it is left out here. */
export function readIds(text: string | undefined): string[] {
  return (text ?? '')
    .trim()
    .toLowerCase()
    .split(',')
    .filter((id) => /^[0-9a-f]{4}:[0-9a-f]{4}$/.test(id));
}

function setOption(options: Map<string, SetOption>, word: string, path: string): void {
  const at = word.indexOf('=');
  const [name, value] = at === -1 ? [word, 'Y'] : [word.slice(0, at), word.slice(at + 1).replaceAll('"', '')];
  options.set(name, { value, path });
}
