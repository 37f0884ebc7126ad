import { describe, expect, it } from 'vitest';
import { documentSchemas } from './document-schemas.js';

describe('policies/schemas', () => {
  it.each(Object.entries(documentSchemas()))(
    'describes a %s as the classes do (vitest -u writes it anew)',
    async (kind, schema) => {
      await expect(schema).toMatchFileSnapshot(`../../policies/schemas/${kind}.json`);
    },
  );
});
