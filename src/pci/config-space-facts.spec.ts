import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TYPICAL_NODE } from '../../test/fixtures/inventory/typical-node.js';
import { LocatedError } from '../located-error.js';
import { parseBdf } from './bdf.js';
import { configSpaceFacts } from './config-space-facts.js';

const get = (bdf: string) => TYPICAL_NODE.inventory.get(parseBdf(bdf)!)!;
const nvme = get('0000:81:00.0');

describe('what a config file tells', () => {
  it('without privilege: the size by stat, but not whether the function is PCI Express', () => {
    const header = nvme.configSpace!.slice(0, 64);

    expect(configSpaceFacts(nvme, header, 4096)).toEqual({ configSpace: header, configSize: 4096 });
  });

  it('without privilege: a function without capabilities is no PCI Express function', () => {
    const header = nvme.configSpace!.slice(0, 64);
    header[0x06] = 0;

    expect(configSpaceFacts(nvme, header, 256)).toMatchObject({ express: false });
  });

  it('with privilege: what could be read is what the kernel lets through', () => {
    const nfp = get('0000:d9:00.0');

    expect(configSpaceFacts(nfp, nfp.configSpace!, 4096)).toMatchObject({ configSize: 0x600, express: true });
  });

  it('accepts the ids 0xffff of a virtual function', () => {
    const vf = get('0000:3b:02.0');

    expect(vf.configSpace!.slice(0, 4)).toEqual(Uint8Array.of(0xff, 0xff, 0xff, 0xff));
    expect(configSpaceFacts(vf, vf.configSpace!, 4096)).toMatchObject({ express: true });
  });

  it('ends on a capability list that loops', () => {
    const looping = nvme.configSpace!.slice();
    looping.set([0x01, 0x40], 0x40);

    expect(configSpaceFacts(nvme, looping, 4096)).toMatchObject({ express: false });
  });

  it('answers or refuses, whatever the device says', () => {
    const vf = get('0000:3b:02.0');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(), (bytes, fileSize) => {
        try {
          expect(configSpaceFacts(vf, bytes, fileSize).configSpace).toBe(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(LocatedError);
        }
      }),
    );
  });
});
