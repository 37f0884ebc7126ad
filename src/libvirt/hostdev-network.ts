import { attribute, childNamed, readXml } from '../domain-xml/xml-reader.js';

/**
 * The name of a libvirt network that hands out host functions (`<forward mode='hostdev'>`); undefined for another one.
 *
 * @throws LocatedError where the document cannot be read
 */
export function readHostdevNetwork(xml: string): string | undefined {
  const root = readXml(xml);
  if (root.name !== 'network' || attribute(childNamed(root, 'forward'), 'mode') !== 'hostdev')
    return undefined;
  return childNamed(root, 'name')?.text;
}
