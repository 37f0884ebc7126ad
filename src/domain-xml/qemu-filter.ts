import { commandlineArguments, QEMU_NAMESPACE } from './qemu-arguments.js';
import { attribute, localName, namespaceOf, type XmlElement } from './xml-reader.js';

/** Properties of vfio-pci that make the filter, in a QEMU that has it. */
export const FILTER_PROPERTIES = ['x-config-filter', 'x-config-filter-rules'] as const;
const ALL_PROPERTIES = [...FILTER_PROPERTIES, 'x-no-kvm-ioeventfd'];
/** Variables of the environment that the preloaded library reads, and the one that has it loaded. */
const VARIABLES = ['LD_PRELOAD', 'VFIO_WARDEN_FILTER', 'VFIO_WARDEN_RULES'];

/** What a domain says of the config filter in `<qemu:commandline>`. */
export interface PresentFilter {
  commandline: XmlElement | undefined;
  /** `<qemu:env>` by name; of several libvirt passes all, and the last counts. */
  env: Map<string, XmlElement>;
  /** `-global` and `vfio-pci.NAME=VALUE` by name. */
  properties: Map<string, { option: XmlElement; value: XmlElement }>;
}

export function readFilter(domain: XmlElement): PresentFilter {
  const commandlines = domain.children.filter(
    (child) => localName(child) === 'commandline' && namespaceOf(child) === QEMU_NAMESPACE,
  );
  const env = new Map<string, XmlElement>();
  const properties: PresentFilter['properties'] = new Map();
  for (const commandline of commandlines) {
    for (const child of commandline.children) {
      const name = localName(child) === 'env' ? attribute(child, 'name') : undefined;
      if (name !== undefined && VARIABLES.includes(name)) env.set(name, child);
    }
    let option: XmlElement | undefined;
    for (const { element, value } of commandlineArguments(commandline)) {
      const name = /^vfio-pci\.([a-z-]+)=/.exec(value)?.[1];
      if (option && name !== undefined && ALL_PROPERTIES.includes(name)) {
        properties.set(name, { option, value: element });
      }
      option = /^--?global$/.test(value) ? element : undefined;
    }
  }
  return { commandline: commandlines.at(-1), env, properties };
}

/** The rules that a domain's filter has for all its devices, by whichever carrier; undefined where it has none. */
export function rulesInForce(domain: XmlElement): string | undefined {
  const { env, properties } = readFilter(domain);
  const property = properties.get('x-config-filter-rules');
  if (property) return attribute(property.value, 'value')?.replace('vfio-pci.x-config-filter-rules=', '');
  const rules = env.get('VFIO_WARDEN_RULES');
  return rules && attribute(rules, 'value');
}
