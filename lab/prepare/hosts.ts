import type { LabHostOptions } from '../outside/lab-host.js';
import { installTools } from './debian-packages.js';
import { prepareKernel } from './kernel.js';
import { prepareUserland } from './userland.js';

/** Debian 12 with the machine's own userland, and two that are put together on request. */
export const HOSTS = ['debian12', 'debian13', 'newest'];

const SUITES: Record<string, string> = { debian13: 'trixie', newest: 'sid' };

/** Fetches and builds what a host boots from, as far as it is not there yet. */
export async function prepareHost(
  name: string,
  say: (text: string) => void,
): Promise<Pick<LabHostOptions, 'name' | 'kernel' | 'userland'>> {
  if (!HOSTS.includes(name)) throw new Error(`no host ${name}; there are ${HOSTS.join(', ')}`);
  await installTools();
  const suite = SUITES[name];
  const root = suite === undefined ? undefined : await prepareUserland(suite, say);
  return { name, userland: root ?? '/', kernel: await prepareKernel(root === undefined ? {} : { root }) };
}
