import { appendChild } from './insertion.js';
import { applySplices, type Splice } from './splice.js';
import { childNamed, readXml, type XmlElement } from './xml-reader.js';

/** A domain with one more device in it, and the way from edits of that device back to the text that the client sent. */
export interface PluggedIn {
  /** The domain's text with the device as the last of its devices. */
  text: string;
  /** Whether an element of the new text is the device, or within it. */
  holds(element: XmlElement): boolean;
  /**
   * The device's own text with edits that were made for the new text.
   *
   * @throws Error where an edit lies outside of the device: that is a bug of the caller
   */
  withEdits(splices: readonly Splice[]): string;
}

/**
 * Puts a device into a domain, to look at both as the document that they will be.
 *
 * @throws LocatedError where one of them cannot be read; places in the device are those of its own text
 */
export function plugIn(domain: string, device: string): PluggedIn {
  const element = readXml(device);
  const own = device.slice(element.start, element.end);
  const root = readXml(domain);
  const devices = childNamed(root, 'devices');
  const insertion = devices
    ? appendChild(domain, devices, [own])
    : appendChild(domain, root, [`<devices>${own}</devices>`]);
  const start = insertion.start + insertion.text.lastIndexOf(own);
  const end = start + own.length;
  return {
    text: applySplices(domain, [insertion]),
    holds: (candidate) => candidate.start >= start && candidate.end <= end,
    withEdits: (splices) =>
      applySplices(
        device,
        splices.map((splice) => {
          if (splice.start < start || splice.end > end)
            throw new Error('an edit lies outside of the attached device');
          const shift = element.start - start;
          return { ...splice, start: splice.start + shift, end: splice.end + shift };
        }),
      ),
  };
}
