import { Type } from 'class-transformer';
import { ArrayMaxSize, ArrayMinSize, IsArray, IsOptional, ValidateNested } from 'class-validator';

/** A list of documents of a type that may be absent, but not empty: an empty one would match nothing. */
export function OptionalListOf<T extends object>(type: () => new () => T, max: number): PropertyDecorator {
  const decorators = [
    IsOptional(),
    IsArray(),
    ArrayMinSize(1),
    ArrayMaxSize(max),
    ValidateNested({ each: true }),
    Type(type),
  ];
  return (target, property) => {
    for (const decorate of decorators.toReversed()) decorate(target, property);
  };
}
