import 'reflect-metadata';
// @ts-expect-error: it is exported without types, and the library's own documentation takes it from there
import { defaultMetadataStorage } from 'class-transformer/cjs/storage.js';
import { targetConstructorToSchema, validationMetadatasToSchemas } from 'class-validator-jsonschema';
import { DOCUMENT_KINDS } from '../../src/policy/bundle/bundle-compiler.js';

/** The JSON Schema of each kind of document, made from the decorators of its class. */
export function documentSchemas(): Record<string, string> {
  const options = {
    classTransformerMetadataStorage: defaultMetadataStorage,
    refPointerPrefix: '#/definitions/',
    additionalConverters: {
      isDocumentTime: { type: 'string', description: 'A date, or a time with its zone.' },
    },
  } as const;
  const all = validationMetadatasToSchemas(options);
  return Object.fromEntries(
    Object.entries(DOCUMENT_KINDS).map(([kind, type]) => {
      const own = targetConstructorToSchema(type, options);
      const definitions = Object.fromEntries(
        referenced(own, all).map((name) => [name, { ...all[name], additionalProperties: false }]),
      );
      const schema = {
        $schema: 'http://json-schema.org/draft-07/schema#',
        title: kind,
        ...own,
        additionalProperties: false,
        definitions,
      };
      return [kind, `${JSON.stringify(schema, null, 2)}\n`];
    }),
  );
}

/** Names of all schemas that one refers to, and those to others; sorted. */
function referenced(schema: object, all: Readonly<Record<string, object>>): string[] {
  const found = new Set<string>();
  const look = (from: object) => {
    for (const [, name] of JSON.stringify(from).matchAll(/"#\/definitions\/(\w+)"/g)) {
      if (found.has(name!)) continue;
      found.add(name!);
      look(all[name!]!);
    }
  };
  look(schema);
  return [...found].toSorted();
}
