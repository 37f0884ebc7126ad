import type { TransformFnParams } from 'class-transformer';

/** A constraint's options that carry what to do when it is violated; the loader puts it into its message. */
export function withRemedy(remedy: string): { context: { remedy: string } } {
  return { context: { remedy } };
}

/** A single item may be written without a list around it. */
export function asList({ value }: TransformFnParams): unknown {
  return value === undefined || Array.isArray(value) ? value : [value];
}

/** `*` is the same as leaving the field out. */
export function wildcard({ value }: TransformFnParams): unknown {
  const only: unknown = Array.isArray(value) && value.length === 1 ? value[0] : value;
  return only === '*' ? undefined : value;
}
