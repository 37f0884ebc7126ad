import { describe, expect, it } from 'vitest';
import { readDomain } from './domain-document.js';
import { appendChild } from './insertion.js';
import { WARDEN_NAMESPACE, writeMetadata } from './metadata.js';
import { applySplices } from './splice.js';
import { undoEdits } from './undo.js';

const CONTENT = {
  decision: 'wd-1',
  policy: 'abc',
  applied: [{ mechanism: 'conventional-bus', devices: ['0000:65:00.0'] }],
};

function edit(text: string): string {
  const document = readDomain(text);
  const splices = [appendChild(text, document.devices!, ["<controller type='pci' index='9'/>"])];
  return applySplices(text, [
    ...splices,
    writeMetadata(document, [{ kind: 'add-controller', splices }], CONTENT),
  ]);
}

const PLAIN = '<domain>\n  <name>vm</name>\n  <devices>\n    <a/>\n  </devices>\n</domain>\n';

describe('undoing edits', () => {
  it.each([
    ['a domain without metadata', PLAIN],
    [
      'one with metadata of others',
      PLAIN.replace('  <devices>', "  <metadata>\n    <x xmlns='y'/>\n  </metadata>\n  <devices>"),
    ],
    ['one with empty metadata', PLAIN.replace('  <devices>', '  <metadata/>\n  <devices>')],
    ['one written in a line', PLAIN.replaceAll(/\n */g, '')],
    [
      'one with CRLF, comments and CDATA',
      PLAIN.replaceAll('\n', '\r\n').replace('<a/>', '<!-- <x> --><![CDATA[<y>]]>'),
    ],
    ['one without devices', '<domain><name>vm</name><devices/></domain>'],
  ])('gives back %s, byte for byte', (_, text) => {
    const edited = edit(text);
    expect(edited).toContain("decision='wd-1'");
    expect(undoEdits(edited)).toBe(text);
  });

  it('goes back one edit at a time', () => {
    const once = edit(PLAIN);
    const twice = edit(once);
    expect(twice.match(/<warden:vfio-warden/g)).toHaveLength(1);
    expect(undoEdits(twice)).toBe(once);
    expect(undoEdits(undoEdits(twice))).toBe(PLAIN);
  });

  it('refuses where somebody else changed the document since, rather than lose that change', () => {
    const changed = edit(PLAIN).replace('<name>vm</name>', '<name>other</name>');
    expect(() => undoEdits(changed)).toThrow(/changed or reformatted since/);
  });

  it('refuses where there is nothing of ours, or the record is damaged', () => {
    expect(() => undoEdits(PLAIN)).toThrow(/carries no edits/);
    const damaged = edit(PLAIN).replace(
      /<warden:undo>[^]*<\/warden:undo>/,
      '<warden:undo>{"digest":1}</warden:undo>',
    );
    expect(() => undoEdits(damaged)).toThrow(/missing or damaged/);
  });

  it('refuses a record whose splices lead out of the document', () => {
    const hostile = edit(PLAIN).replace(/"start":\d+/, '"start":99999');
    expect(() => undoEdits(hostile)).toThrow(/missing or damaged/);
  });

  it('tells in libvirt’s own metadata what was done', () => {
    expect(edit(PLAIN)).toContain(`xmlns:warden='${WARDEN_NAMESPACE}'`);
    expect(edit(PLAIN)).toContain("<warden:applied mechanism='conventional-bus' devices='0000:65:00.0'/>");
  });
});
