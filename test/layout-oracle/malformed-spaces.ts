import type { Device } from './kernel-walk.js';
import type { Random } from './random.js';
import { HEADER, LEGACY, SPACE, wellFormedSpace, type ChainedDevice } from './well-formed-spaces.js';

/** Ways in which a config space can be wrong, each with a maker of examples. */
export const MALFORMED: Readonly<Record<string, (random: Random) => Device>> = {
  'standard chain loops': (random) =>
    damaged(random, 'standard', ({ bytes, standard }) => {
      bytes[standard.at(-1)! + 1] = random.pick(standard);
    }),
  'extended chain loops': (random) =>
    damaged(random, 'extended', (device) =>
      pointExtended(device, device.extended.at(-1)!, random.pick(device.extended)),
    ),
  'standard pointer into the header': (random) =>
    damaged(random, 'standard', ({ bytes, standard }) => {
      bytes[random.chance(0.3) ? 0x34 : random.pick(standard) + 1] = 4 * random.below(HEADER / 4);
    }),
  'extended pointer below 0x100': (random) =>
    damaged(random, 'extended', (device) =>
      pointExtended(device, random.pick(device.extended), 4 * random.below(LEGACY / 4)),
    ),
  'standard pointer not aligned': (random) =>
    damaged(random, 'standard', ({ bytes, standard }) => {
      const from = random.chance(0.3) ? 0x34 : random.pick(standard) + 1;
      bytes[from]! |= random.between(1, 3);
    }),
  'standard pointer anywhere': (random) =>
    damaged(random, 'standard', ({ bytes, standard }) => {
      bytes[random.pick(standard) + 1] = random.below(0x100);
    }),
  'extended pointer anywhere': (random) =>
    damaged(random, 'extended', (device) =>
      pointExtended(device, random.pick(device.extended), 4 * random.below(SPACE / 4)),
    ),
  'capabilities overlap': (random) =>
    damaged(random, 'extended', (device) => {
      const { bytes, standard, extended } = device;
      if (random.chance(0.5)) bytes[random.pick(standard)] = random.between(1, 0x13);
      const into = random.pick(extended) + 4 * random.between(1, 4);
      bytes[into] = random.between(1, 0x23);
      bytes[into + 1] = 0;
      pointExtended(device, random.pick(extended), into);
    }),
  'capability runs past the end': (random) =>
    damaged(random, 'extended', (device) => {
      const view = viewOf(device);
      if (random.chance(0.5)) {
        const at = device.standard.at(-1)!;
        device.bytes[at] = 0x09;
        device.bytes[at + 2] = random.between(0x100 - at, 0xff);
        return;
      }
      const at = random.pick(device.extended);
      const next = view.getUint32(at, true) & 0xfff00000;
      view.setUint32(at, (next | 0x1000b) >>> 0, true);
      view.setUint32(at + 4, random.between(Math.min(SPACE - at, 0xffe), 0xfff) * 0x100000, true);
    }),
  'all-ones': () => ({ bytes: new Uint8Array(SPACE).fill(0xff), size: SPACE }),
  'all-zeros': () => ({ bytes: new Uint8Array(SPACE), size: SPACE }),
  'all-ones from some byte on': (random) => {
    const device = wellFormedSpace(random);
    device.bytes.fill(0xff, random.between(HEADER, device.bytes.length - 1));
    return device;
  },
  'file shorter than config space': (random) => {
    const device = wellFormedSpace(random);
    return { ...device, given: random.below(device.bytes.length) };
  },
  'random bytes': (random) => {
    const bytes = new Uint8Array(SPACE);
    random.overwrite(bytes);
    bytes[0x06]! |= 0x10;
    return { bytes, size: SPACE };
  },
  'a few bits flipped': (random) => {
    const device = damaged(random, 'standard', () => undefined);
    for (let count = random.between(1, 12); count > 0; count--) {
      const at = random.pick([0x34, ...device.standard, ...device.extended]) + random.below(8);
      device.bytes[at]! ^= 1 << random.below(8);
    }
    return device;
  },
};

/** A well-formed device that has the chain in question, then damaged. */
function damaged(
  random: Random,
  chain: 'standard' | 'extended',
  damage: (device: ChainedDevice) => void,
): ChainedDevice {
  for (;;) {
    const device = wellFormedSpace(random);
    if (device[chain].length === 0 || device.standard.length === 0) continue;
    damage(device);
    return device;
  }
}

function viewOf({ bytes }: Device): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function pointExtended(device: Device, from: number, to: number): void {
  const view = viewOf(device);
  view.setUint32(from, ((view.getUint32(from, true) & 0x000fffff) | (to << 20)) >>> 0, true);
}
