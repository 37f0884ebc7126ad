import { describe, expect, it } from 'vitest';
import { i440fxCounterpart, machineFamily, reasonsToStayQ35 } from './machine.js';
import { readXml } from './xml-reader.js';

describe('machine types', () => {
  it.each([
    ['q35', 'q35'],
    ['pc-q35-7.2', 'q35'],
    ['pc-q35-rhel9.4.0', 'q35'],
    ['pc', 'i440fx'],
    ['pc-i440fx-6.2', 'i440fx'],
    ['pc-1.3', 'i440fx'],
    ['rhel6.6.0', 'i440fx'],
    ['microvm', 'other'],
    [undefined, 'unspecified'],
  ])('%s is %s', (type, family) => {
    expect(machineFamily('x86_64', type)).toBe(family);
  });

  it('are other machines on other architectures', () => {
    expect(machineFamily('aarch64', 'virt')).toBe('other');
    expect(machineFamily('ppc64', 'pc')).toBe('other');
  });

  it('are converted within one version of QEMU', () => {
    expect(i440fxCounterpart('q35')).toBe('pc');
    expect(i440fxCounterpart('pc-q35-7.2')).toBe('pc-i440fx-7.2');
  });
});

describe('what keeps a guest on q35', () => {
  const reasons = (content: string) =>
    reasonsToStayQ35(readXml(`<domain>${content}</domain>`)).map(({ what }) => what);

  it.each([
    ['Secure Boot', "<os><loader secure='yes'>/x.fd</loader></os>", /Secure Boot/],
    [
      'firmware built for it',
      '<os><loader>/usr/share/OVMF/OVMF_CODE_4M.secboot.fd</loader></os>',
      /Secure Boot/,
    ],
    [
      'firmware chosen for it',
      "<os firmware='efi'><firmware><feature enabled='yes' name='secure-boot'/></firmware></os>",
      /Secure Boot/,
    ],
    ['SMM', "<features><smm state='on'/></features>", /SMM/],
    ['a vIOMMU', "<devices><iommu model='intel'/></devices>", /vIOMMU/],
    [
      'PCI Express controllers',
      "<devices><controller type='pci' model='pcie-expander-bus'/></devices>",
      /pcie-expander-bus/,
    ],
  ])('%s', (_, content, expected) => {
    expect(reasons(content)).toEqual([expect.stringMatching(expected)]);
  });

  it('nothing in a plain guest', () => {
    expect(
      reasons(
        "<os><loader>/usr/share/OVMF/OVMF_CODE_4M.fd</loader></os><features><smm state='off'/></features>",
      ),
    ).toEqual([]);
  });
});
