import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { LabCase } from './cases/lab-case.js';
import type { LabDevice } from './devices/device.js';
import type { LabExposure } from './exposures/exposure.js';
import type { LabMechanism } from './mechanisms/lab-mechanism.js';

export const loadDevices = async () => loadFolder<LabDevice>('devices', 'device.ts');
export const loadExposures = async () => loadFolder<LabExposure>('exposures', 'exposure.ts');
export const loadMechanisms = async () => loadFolder<LabMechanism>('mechanisms', 'lab-mechanism.ts');

export const loadCases = async () => (await loadFolder<LabCase[]>('cases', 'lab-case.ts')).flat();

/** What each file of a folder exports, in the order of their names; `interfaceFile` says what they have in common. */
async function loadFolder<T>(folder: string, interfaceFile: string): Promise<T[]> {
  const url = new URL(`./${folder}/`, import.meta.url);
  const files = (await readdir(fileURLToPath(url))).filter(
    (file) => file.endsWith('.ts') && file !== interfaceFile,
  );
  return Promise.all(
    files.toSorted().map(async (file) => ((await import(new URL(file, url).href)) as { default: T }).default),
  );
}
