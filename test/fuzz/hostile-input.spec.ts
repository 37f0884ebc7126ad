import 'reflect-metadata';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../src/canonical-json.js';
import { decide } from '../../src/decision/decide.js';
import { WARDEN_NAMESPACE } from '../../src/domain-xml/metadata.js';
import { undoEdits } from '../../src/domain-xml/undo.js';
import { MAX_DOCUMENT_BYTES } from '../../src/domain-xml/xml-reader.js';
import { UNPROBED_HOST } from '../../src/host/host-capabilities.js';
import { LocatedError } from '../../src/located-error.js';
import { Inventory } from '../../src/pci/inventory.js';
import { forcing } from '../corpus/forced-policy.js';
import { HOST_FUNCTIONS, STOCK_QEMU } from '../properties/sample-host.js';
import { generatedRisks } from '../properties/risks.js';
import { bounded } from './bounded.js';

/** For a document of 4 MiB; small ones take less than a millisecond. */
const LIMIT_MS = 3_000;

const basis = {
  inventory: Inventory.of(HOST_FUNCTIONS),
  host: { ...UNPROBED_HOST, ...STOCK_QEMU },
  risks: generatedRisks(40),
  policy: forcing('conventional-bus'),
  evaluatedAt: '2026-01-01T00:00:00Z',
  domainState: 'new',
  guestHardware: 'may-change',
  ranRestricted: [],
  hostMode: 'enforce',
  hostdevNetworks: ['vf-pool'],
} as const;

/** The decision, or the refusal, if either comes in time. */
function answer(xml: string) {
  try {
    return bounded(LIMIT_MS, () => decide({ ...basis, xml }));
  } catch (error) {
    if (error instanceof LocatedError) return error;
    throw error;
  }
}

function domain(devices: string, more = ''): string {
  return `<domain type='kvm'><name>hostile</name>${more}<os><type arch='x86_64' machine='q35'>hvm</type></os><devices>${devices}</devices></domain>`;
}

/** As often as it fits into a document of the greatest size. */
function filled(part: string): string {
  return part.repeat(Math.floor((MAX_DOCUMENT_BYTES - 400) / Buffer.byteLength(part)));
}

const HOSTDEV = "<hostdev type='pci'><source><address bus='0x81' slot='0' function='0'/></source></hostdev>";

describe('A hostile document is refused, with a place and a remedy,', () => {
  const refused = (xml: string, problem: RegExp) => {
    const error = answer(xml);
    expect(error).toBeInstanceOf(LocatedError);
    const { problem: stated, place, remedy } = error as LocatedError;
    expect(stated).toMatch(problem);
    expect(place).toMatch(/^line \d+/);
    expect(remedy).not.toBe('');
  };

  it('over 4 MiB', () => {
    refused(domain(`<!--${'x'.repeat(MAX_DOCUMENT_BYTES)}-->`), /larger than 4194304 bytes/);
  });

  it('over 4 MiB in bytes, though not in characters', () => {
    refused(domain(`<!--${'語'.repeat(MAX_DOCUMENT_BYTES / 2)}-->`), /larger than 4194304 bytes/);
  });

  it('nested 200,000 levels deep', () => {
    refused('<domain>'.repeat(200_000), /nested deeper than 257/);
  });

  it('with an entity bomb', () => {
    const entities = Array.from({ length: 9 }, (_, at) => `<!ENTITY e${at + 1} "${`&e${at};`.repeat(10)}">`);
    const bomb = `<!DOCTYPE domain [<!ENTITY e0 "bomb">${entities.join('')}]>`;
    refused(`${bomb}<domain><name>&e9;</name></domain>`, /document type declaration/);
  });

  it('with an entity that names a file', () => {
    refused(
      `<!DOCTYPE domain [<!ENTITY file SYSTEM "file:///etc/shadow">]><domain><name>&file;</name></domain>`,
      /document type declaration/,
    );
  });

  it('with a document type of 4 MiB', () => {
    refused(`<!DOCTYPE domain [${filled('<!-- a -->')}]><domain/>`, /document type declaration/);
  });

  it.each([
    "<title note='\ud83d' more=' '/>",
    '<title>\ud83d</title>',
    '<title>\udc00</title>',
    '<title>\ud83dx</title>',
  ])('with half a surrogate pair, which libvirt would get as another character: %j', (title) =>
    refused(domain('', title), /surrogate|not valid/),
  );
});

describe('A legal document of the greatest size is answered in time', () => {
  const inTime = (xml: string) => {
    expect(Buffer.byteLength(xml)).toBeLessThanOrEqual(MAX_DOCUMENT_BYTES);
    const result = answer(xml);
    if (result instanceof LocatedError) return;
    expect(result).toHaveProperty('decision');
  };

  it('of assigned devices', () => inTime(domain(filled(HOSTDEV))));

  it('of assigned devices that say next to nothing', () => inTime(domain(filled("<hostdev type='pci'/>\n"))));

  it('of raw QEMU arguments', () => {
    const qemu = "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'";
    inTime(
      `<domain type='kvm'><qemu:commandline ${qemu}>${filled("<qemu:arg value='-set'/>")}</qemu:commandline></domain>`,
    );
  });

  it('of PCI controllers', () => inTime(domain(filled("<controller type='pci'/>") + HOSTDEV)));

  it('of white space in the tag that our metadata is put into', () =>
    inTime(domain(HOSTDEV, `<metadata${filled(' ').slice(HOSTDEV.length)}a=''/>`)));

  it('of white space between devices', () => inTime(domain(filled('\n ') + HOSTDEV)));

  it('of attributes', () => {
    const attributes = Array.from({ length: 200_000 }, (_, at) => `a${at}='${at}'`).join(' ');
    inTime(domain(`<hostdev type='pci' ${attributes}/>`));
  });

  it('of namespaces that are nested', () => {
    const levels = Array.from({ length: 250 }, (_, at) => `<a xmlns:n${at}='urn:${at}'>`);
    inTime(
      domain(
        levels.join('') +
          filled("<n0:b n1:c=''/>")
            .slice(0, 3_000_000)
            .replace(/<[^>]*$/, '') +
          '</a>'.repeat(250),
      ),
    );
  });

  it('of bytes in one attribute', () => inTime(domain(`<hostdev type='${filled('0')}'/>`)));

  it('of blanks in a number', () =>
    inTime(domain(`<hostdev type='pci'><source><address bus='${filled(' ')}x'/></source></hostdev>`)));

  it('of character references', () => inTime(domain('', `<title>${filled('&#65;')}</title>`)));
});

describe('A document that claims edits of ours', () => {
  it('with splices that overlap is refused by undo like any damaged record', () => {
    const text = `<domain><metadata></metadata></domain>`;
    const record = {
      digest: sha256(text),
      splices: [
        { start: 5, end: 9, text: '' },
        { start: 2, end: 7, text: '' },
      ],
      metadata: { before: 0, after: 0, replaced: '' },
    };
    const own = `<w:vfio-warden xmlns:w='${WARDEN_NAMESPACE}'><w:undo>${JSON.stringify(record)}</w:undo></w:vfio-warden>`;
    expect(() => undoEdits(text.replace('</metadata>', `${own}</metadata>`))).toThrow(LocatedError);
  });

  it('with a record that is no record is refused by undo', () => {
    for (const record of ['', 'null', '[]', '{"splices":[null]}', '{"digest":1}']) {
      const own = `<w:vfio-warden xmlns:w='${WARDEN_NAMESPACE}'><w:undo>${record}</w:undo></w:vfio-warden>`;
      expect(() => undoEdits(`<domain><metadata>${own}</metadata></domain>`)).toThrow(LocatedError);
    }
  });
});
