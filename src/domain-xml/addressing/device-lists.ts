import { attribute, childNamed, childrenNamed, type XmlElement } from '../xml-reader.js';
import { checkCovered } from './covered-elements.js';
import { readDevice } from './device-element.js';
import { Unpredictable, type DeviceKind, type DeviceLists, type GuestDevice } from './guest-device.js';
import { readControllers, readDisks, readVideos } from './list-order.js';

/** More device elements than this are not looked at: libvirt's own algorithms are quadratic, and so are these. */
const MAX_DEVICES = 2_048;

/**
 * Reads the devices into libvirt's lists, in libvirt's order (`virDomainDefParseXML`), before it adds any by itself.
 *
 * @throws Unpredictable where the document has something that the model does not cover
 */
export function readDeviceLists(domain: XmlElement): DeviceLists {
  const elements = childrenNamed(domain, 'devices').flatMap((devices) => devices.children);
  if (elements.length > MAX_DEVICES) {
    throw new Unpredictable(`the domain has more than ${MAX_DEVICES} devices`);
  }
  const byName = new Map<string, XmlElement[]>();
  for (const element of elements) {
    const like = byName.get(element.name);
    if (like) like.push(element);
    else byName.set(element.name, [element]);
  }
  const named = (name: string) => byName.get(name) ?? [];
  const read = (name: DeviceKind, model: (element: XmlElement) => string | undefined) =>
    named(name).map((element, ordinal) => readDevice(name, `${name}:${ordinal}`, element, model(element)));
  const byModel = (element: XmlElement) => attribute(element, 'model');

  checkCovered(elements);

  const interfaces = read('interface', (element) => attribute(childNamed(element, 'model'), 'type'));
  // An interface of this type is a hostdev for libvirt, in front of those that the document calls so.
  const handed = interfaces.filter((device) => attribute(device.element, 'type') === 'hostdev');
  for (const device of handed) {
    device.kind = 'hostdev';
    device.model = interfaceSourceType(device.element!);
  }
  return {
    disks: readDisks(named('disk')),
    controllers: readControllers(named('controller')),
    filesystems: read('filesystem', filesystemModel),
    interfaces,
    hostdevs: [...handed, ...read('hostdev', hostdevModel)],
    serials: read('serial', (element) => attribute(childNamed(element, 'target'), 'type')),
    inputs: read('input', inputModel),
    sounds: read('sound', byModel),
    videos: readVideos(named('video')),
    watchdogs: read('watchdog', byModel),
    memballoons: read('memballoon', byModel),
    rngs: read('rng', byModel),
    shmems: read('shmem', (element) => attribute(childNamed(element, 'model'), 'type')),
    memories: read('memory', byModel),
    iommus: read('iommu', byModel),
    vsocks: read('vsock', byModel),
  };
}

/** Every list in the order in which libvirt walks over all devices (`virDomainDeviceInfoIterate`). */
export function allDevices(lists: DeviceLists): GuestDevice[] {
  return lists.disks.concat(
    lists.interfaces,
    lists.sounds,
    lists.hostdevs.filter((device) => !lists.interfaces.includes(device)),
    lists.videos,
    lists.controllers,
    lists.serials,
    lists.inputs,
    lists.filesystems,
    lists.watchdogs,
    lists.memballoons,
    lists.rngs,
    lists.shmems,
    lists.memories,
    lists.iommus,
    lists.vsocks,
  );
}

function interfaceSourceType(element: XmlElement): string {
  const source = childNamed(element, 'source');
  const type = attribute(childNamed(source, 'address'), 'type');
  return type ?? (childNamed(source, 'vendor') ? 'usb' : '');
}

function hostdevModel(element: XmlElement): string {
  const mode = attribute(element, 'mode') ?? 'subsystem';
  if (mode !== 'subsystem') return mode;
  const type = attribute(element, 'type') ?? '';
  const model = attribute(element, 'model');
  if (type === 'mdev') return model === 'vfio-pci' ? 'mdev' : 'mdev without PCI';
  return type === 'scsi_host' && model !== undefined ? `${type} ${model}` : type;
}

function filesystemModel(element: XmlElement): string {
  const driver = attribute(childNamed(element, 'driver'), 'type') ?? 'path';
  if (driver === 'path' || driver === 'handle' || driver === 'default')
    return attribute(element, 'model') ?? '';
  return driver;
}

function inputModel(element: XmlElement): string {
  const type = attribute(element, 'type');
  const bus = attribute(element, 'bus') ?? defaultInputBus(type);
  return bus === 'virtio' ? (attribute(element, 'model') ?? bus) : bus;
}

/** `virDomainInputDefParseXML`, for x86 */
function defaultInputBus(type: string | undefined): string {
  if (type === 'mouse' || type === 'keyboard') return 'ps2';
  if (type === 'passthrough') return 'virtio';
  return type === 'evdev' ? 'none' : 'usb';
}
