import type { Category } from './map-categories.js';
import type { WriteReach } from './write-permissions.js';

/**
 * Fills. They are the Okabe-Ito palette's, lightened, which people with a colour vision deficiency tell apart; number,
 * border and hatch say the same once more.
 */
export const FILLS: Record<Category, string> = {
  header: '#c9ced6',
  standard: '#9fd0ee',
  extended: '#a9dcc3',
  placeholder: '#e6e1da',
  vendor: '#e3b5d0',
  hidden: '#f4b183',
  unassigned: '#fff0b3',
};

export const MONOSPACE =
  'font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="11" fill="#4a5464"';

type Drawn = Exclude<WriteReach, 'virtualised' | 'dropped'>;

/** Patterns laid over the fill; where a write reaches nothing there is none. */
export const REACHES: Record<Drawn, { pattern: string; legend: string }> = {
  raw: {
    pattern:
      '<pattern id="raw" width="5" height="5" patternUnits="userSpaceOnUse">' +
      '<path d="M-1 1l2-2M0 5l5-5M4 6l2-2" stroke="#b03a10" stroke-width="0.8"/></pattern>',
    legend: 'raw: all bits reach hardware',
  },
  partly: {
    pattern:
      '<pattern id="partly" width="5.5" height="5.5" patternUnits="userSpaceOnUse">' +
      '<circle cx="2.75" cy="2.75" r="1.3" fill="#a32a00"/></pattern>',
    legend: 'partly: some bits reach hardware',
  },
  mediated: {
    pattern:
      '<pattern id="mediated" width="11" height="11" patternUnits="userSpaceOnUse">' +
      '<path d="M5.5 1.5v5M5.5 8.2v1.6" stroke="#a32a00" stroke-width="2"/></pattern>',
    legend: 'mediated: the kernel acts for the guest',
  },
};

export const UNKNOWN_PATTERN =
  '<pattern id="unknown" width="11" height="11" patternUnits="userSpaceOnUse">' +
  '<path d="M3.5 5.5h4" stroke="#9aa1ab" stroke-width="1.2"/></pattern>';

export function drawnReach(reach: WriteReach): Drawn | undefined {
  return reach === 'virtualised' || reach === 'dropped' ? undefined : reach;
}

/** Escapes text for XML; what is no XML character has to be gone already (see `printable`). */
export function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
