import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { readDocument } from '../documents/validated-document.js';
import { LocatedError, LocatedErrors } from '../located-error.js';
import { completeSettings } from './complete-settings.js';
import { Settings, settingsOfEnvironment, variableOf, type SettingName } from './settings.js';

export const DEFAULT_CONFIG_FILE = '/etc/vfio-warden/config.yaml';

/** Bytes of the file: many times what all settings need. */
const MAX_FILE_BYTES = 64 * 1024;

/**
 * Reads the settings of the service: `WARDEN_CONFIG`, or else `/etc/vfio-warden/config.yaml` where that exists; the
 * environment wins over the file.
 *
 * @throws LocatedError, LocatedErrors that name file, line and column, or the variable
 */
export async function loadSettings(
  environment: NodeJS.ProcessEnv,
  defaultFile = DEFAULT_CONFIG_FILE,
): Promise<Settings> {
  const fromEnvironment = settingsOfEnvironment(environment);
  const file = environment.WARDEN_CONFIG || defaultFile;
  const text = await readConfigFile(file);
  if (text === undefined && environment.WARDEN_CONFIG) {
    throw new LocatedError('it does not exist', file, 'Correct WARDEN_CONFIG, or write the file.');
  }
  const { settings, placeOf } = parseConfig(file, text ?? '');
  return completeSettings(Object.assign(settings, fromEnvironment), (name) =>
    name in fromEnvironment ? variableOf(name) : placeOf(name),
  );
}

/**
 * Reads the settings from the environment alone.
 *
 * @throws LocatedError, LocatedErrors that name the variables
 */
export function readSettings(environment: NodeJS.ProcessEnv): Settings {
  const given = settingsOfEnvironment(environment);
  return completeSettings(Object.assign(new Settings(), given), variableOf);
}

function parseConfig(file: string, text: string): { settings: Settings; placeOf(name: SettingName): string } {
  // A file in which every line is a comment, as it is shipped, is no mapping to a YAML reader.
  if (text.split('\n').every((line) => /^\s*(#|$)/.test(line))) {
    return { settings: new Settings(), placeOf: variableOf };
  }
  const { value, problems, placeOf } = readDocument({ file, text }, Settings);
  if (value === undefined) throw problems.length === 1 ? problems[0]! : new LocatedErrors(problems);
  return { settings: value, placeOf: (name) => placeOf([name]) };
}

/** Undefined where there is none. */
async function readConfigFile(path: string): Promise<string | undefined> {
  try {
    // Without NONBLOCK a pipe in this place would be waited for.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = await file.stat();
      if (!stat.isFile()) throw new LocatedError('it is not a regular file', path, 'Name a YAML file.');
      if (stat.size > MAX_FILE_BYTES) {
        throw new LocatedError(`it is larger than ${MAX_FILE_BYTES} bytes`, path, 'Name a settings file.');
      }
      const buffer = Buffer.alloc(stat.size);
      const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
      return new TextDecoder('utf-8', { fatal: true }).decode(buffer.subarray(0, bytesRead));
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof LocatedError) throw error;
    if (error instanceof TypeError) {
      throw new LocatedError('it is not valid UTF-8', `${path}:1:1`, 'Convert it to UTF-8.');
    }
    const code = error instanceof Error && 'code' in error ? error.code : error;
    if (code === 'ENOENT') return undefined;
    throw new LocatedError(`it cannot be read (${code})`, path, 'Check the path and the permissions.');
  }
}
