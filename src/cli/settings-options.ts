import type { Command } from 'commander';
import { readSettings } from '../config/load-settings.js';
import type { Settings } from '../config/settings.js';

/** Options that stand for settings; each overrides its environment variable. */
const OPTIONS = {
  policies: ['--policies <dir>', 'directory with policy documents', 'WARDEN_POLICIES'],
  risks: ['--risks <dir>', 'directory with risk entries', 'WARDEN_RISKS'],
  inventory: ['--inventory <file>', 'inventory file to use instead of this host', 'WARDEN_INVENTORY'],
  sysfs: ['--sysfs <dir>', 'where sysfs is mounted', 'WARDEN_SYSFS'],
  emulator: ['--emulator <path>', 'QEMU binary to probe', 'WARDEN_EMULATOR'],
  mode: ['--mode <mode>', 'switch of the host: off, observe or enforce', 'WARDEN_MODE'],
} as const;

type OptionName = keyof typeof OPTIONS;

export type SettingsOptions = Partial<Record<OptionName, string>>;

export function addSettingsOptions(command: Command, names: readonly OptionName[]): Command {
  for (const name of names) command.option(OPTIONS[name][0], OPTIONS[name][1]);
  return command;
}

/** @throws LocatedError that names the variable whose value is bad */
export function settingsFrom(options: SettingsOptions): Settings {
  const overrides = Object.fromEntries(
    Object.entries(OPTIONS).map(([name, [, , variable]]) => [variable, options[name as OptionName]]),
  );
  const given = Object.fromEntries(Object.entries(overrides).filter(([, value]) => value !== undefined));
  return readSettings({ ...process.env, ...given });
}
