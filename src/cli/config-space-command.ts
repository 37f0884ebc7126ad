import type { Command } from 'commander';
import { writeFile } from 'node:fs/promises';
import { loadInventory } from '../decision/load-basis.js';
import { LocatedError } from '../located-error.js';
import { parseBdf } from '../pci/bdf.js';
import { layoutOf } from '../pci/config-space/layout.js';
import { svgMap } from '../pci/config-space/svg-map.js';
import { textMap } from '../pci/config-space/text-map.js';
import { print, printJson } from './output.js';
import { readBytes } from './read-input.js';
import { addSettingsOptions, settingsFrom, type SettingsOptions } from './settings-options.js';

const CONFIG_SPACE_BYTES = 4096;

interface ConfigSpaceOptions extends SettingsOptions {
  svg?: string;
  json?: boolean;
}

export function addConfigSpaceCommand(program: Command): void {
  const command = program
    .command('config-space')
    .description("show who owns each byte of a function's config space, and what a guest's write reaches")
    .argument('<bdf|file>', 'a host PCI function such as 0000:65:00.0, or a file with its raw config space')
    .option('--svg <file>', 'write a picture instead (- for standard output)')
    .option('--json', 'print the layout as JSON');
  addSettingsOptions(command, ['inventory', 'sysfs']).action(showConfigSpace);
}

async function showConfigSpace(target: string, options: ConfigSpaceOptions): Promise<void> {
  const { title, bytes, configSize } = await readConfigSpace(target, options);
  const layout = layoutOf(bytes, configSize === undefined ? {} : { configSize });
  if (options.svg !== undefined) {
    const svg = svgMap(layout, { title });
    if (options.svg === '-') print(svg);
    else await writeFile(options.svg, svg);
  } else if (options.json) {
    const { size, complete, capabilities, hidden, regions, anomalies } = layout;
    printJson({ target: title, size, complete, capabilities, hidden, regions, anomalies });
  } else {
    print(textMap(layout, { title }));
  }
}

interface NamedConfigSpace {
  title: string;
  bytes: Uint8Array;
  configSize?: number;
}

async function readConfigSpace(target: string, options: ConfigSpaceOptions): Promise<NamedConfigSpace> {
  const bdf = parseBdf(target);
  if (!bdf) return { title: target, bytes: await readBytes(target, CONFIG_SPACE_BYTES) };
  const { inventory, problems } = await loadInventory(settingsFrom(options));
  const fn = inventory.get(bdf);
  if (!fn?.configSpace) {
    const known = problems.find((problem) => problem.bdf === bdf);
    throw new LocatedError(
      fn ? (known?.problem ?? 'its config space was not read') : 'there is no such function in the inventory',
      bdf,
      fn ? 'Read it as root.' : 'List the functions with `wardenctl inventory`.',
    );
  }
  return {
    title: bdf,
    bytes: fn.configSpace,
    ...(fn.configSize !== undefined && { configSize: fn.configSize }),
  };
}
