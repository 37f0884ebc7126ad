import { withoutControls } from '../documents/located-yaml.js';

/** Lines for a terminal: names from domains and from config space must not be able to steer it. */
export function printable(text: string): string {
  return text.split('\n').map(withoutControls).join('\n');
}
