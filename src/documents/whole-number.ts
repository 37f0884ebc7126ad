import { Transform } from 'class-transformer';
import { IsInt, Max, Min } from 'class-validator';

/** Files and the environment give text; only plain digits become a number, whatever else stays what it was and is refused. */
export function IsWholeNumber(least: number, most: number): PropertyDecorator {
  const message = `$property must be a whole number from ${least} to ${most}`;
  const decorators = [
    Transform(({ value }: { value: unknown }) =>
      typeof value === 'string' && /^\d{1,12}$/.test(value) ? Number(value) : value,
    ),
    IsInt({ message }),
    Min(least, { message }),
    Max(most, { message }),
  ];
  return (target, property) => decorators.forEach((decorate) => decorate(target, property));
}
