/** The part of JSON Schema that the API's description uses. */
export interface Schema {
  $ref?: string;
  allOf?: Schema[];
  type?: string;
  enum?: unknown[];
  required?: string[];
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: boolean;
}

/** What of a value is not as the schema says; a field that the schema does not know is a problem, too. */
export function schemaProblems(
  value: unknown,
  schema: Schema,
  named: Record<string, Schema>,
  place = '$',
): string[] {
  const resolved = resolve(schema, named);
  if (resolved.enum && !resolved.enum.includes(value)) return [`${place} is ${JSON.stringify(value)}`];
  switch (resolved.type) {
    case undefined:
      return [];
    case 'array':
      if (!Array.isArray(value)) return [`${place} is no array`];
      return value.flatMap((item, index) =>
        schemaProblems(item, resolved.items!, named, `${place}[${index}]`),
      );
    case 'object':
      return objectProblems(value, resolved, named, place);
    case 'integer':
      return Number.isInteger(value) ? [] : [`${place} is no integer`];
    default:
      return typeof value === resolved.type ? [] : [`${place} is no ${resolved.type}`];
  }
}

function objectProblems(
  value: unknown,
  schema: Schema,
  named: Record<string, Schema>,
  place: string,
): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${place} is no object`];
  const { properties, required = [] } = schema;
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  const missing = required.filter((name) => !fields.some(([field]) => field === name));
  return [
    ...missing.map((name) => `${place}.${name} is missing`),
    ...(properties
      ? fields.flatMap(([name, field]) =>
          properties[name]
            ? schemaProblems(field, properties[name], named, `${place}.${name}`)
            : [`${place}.${name} is not described`],
        )
      : []),
  ];
}

function resolve(schema: Schema, named: Record<string, Schema>): Schema {
  if (schema.$ref) return resolve(named[schema.$ref.split('/').at(-1)!]!, named);
  if (schema.allOf?.length === 1) return resolve(schema.allOf[0]!, named);
  return schema;
}
