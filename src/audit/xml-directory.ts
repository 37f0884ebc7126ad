import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readDomain } from '../domain-xml/domain-document.js';
import { decodeXml, MAX_DOCUMENT_BYTES, readXml } from '../domain-xml/xml-reader.js';
import { LocatedError } from '../located-error.js';
import { readHostdevNetwork } from '../libvirt/hostdev-network.js';
import type { Sighting } from './seen-domain.js';

/** More than any host has domains. */
const MAX_FILES = 10_000;

/**
 * Reads the domains of a directory, `virsh dumpxml` output for example, in the order of the file names. Network documents
 * beside them tell which networks hand out host functions. A file that cannot be read is named and left out.
 *
 * @throws LocatedError where the directory itself cannot be read, or holds no XML
 */
export async function readXmlDirectory(directory: string): Promise<Sighting> {
  const sighting: Sighting = { origin: directory, domains: [], hostdevNetworks: [], unseen: [] };
  for (const name of await listXmlFiles(directory)) {
    const file = join(directory, name);
    try {
      const text = await readBounded(file);
      const root = readXml(text);
      if (root.name === 'network') {
        const network = readHostdevNetwork(text);
        if (network !== undefined) sighting.hostdevNetworks.push(network);
        continue;
      }
      const domain = readDomain(text);
      sighting.domains.push({ name: domain.name || name, file, next: text });
    } catch (error) {
      const problem = error instanceof LocatedError ? `${error.place}: ${error.problem}` : reasonOf(error);
      sighting.unseen.push({ what: file, problem });
    }
  }
  return sighting;
}

async function listXmlFiles(directory: string): Promise<string[]> {
  let names: string[];
  try {
    names = await readdir(directory);
  } catch (error) {
    throw new LocatedError(reasonOf(error), directory, 'Name a directory with domain XML files.');
  }
  const files = names.filter((name) => name.endsWith('.xml')).toSorted();
  if (files.length === 0) {
    throw new LocatedError(
      'no *.xml file is here',
      directory,
      'Write one a domain: virsh dumpxml DOMAIN > DIR/DOMAIN.xml',
    );
  }
  if (files.length > MAX_FILES) {
    throw new LocatedError(
      `there are more than ${MAX_FILES} *.xml files`,
      directory,
      'Audit them in several directories.',
    );
  }
  return files;
}

/** A file that grows meanwhile, a pipe or a device is not waited for: only what a regular file holds is read. */
async function readBounded(file: string): Promise<string> {
  const { size } = await stat(file).then((found) => {
    if (!found.isFile()) throw new LocatedError('it is no regular file', file, 'Remove it.');
    return found;
  });
  if (size > MAX_DOCUMENT_BYTES) {
    throw new LocatedError(
      `it is larger than ${MAX_DOCUMENT_BYTES} bytes`,
      file,
      'Libvirt takes no such domain.',
    );
  }
  return decodeXml(await readFile(file));
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
