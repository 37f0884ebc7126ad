import { describe, expect, it } from 'vitest';
import { configurationPage } from './configuration-page.js';

describe('docs/configuration.md', () => {
  it('says of every setting what the class says (vitest -u writes it anew)', async () => {
    await expect(configurationPage()).toMatchFileSnapshot('../../docs/configuration.md');
  });
});
