import { ValidateBy } from 'class-validator';

const TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d))?$/;
const REMEDY = 'Write a date such as 2027-01-31, or a time such as 2027-01-31T12:00:00Z.';

/** A date, which is its beginning in UTC, or a time with its zone. */
export function IsDocumentTime(): PropertyDecorator {
  return ValidateBy(
    {
      name: 'isDocumentTime',
      validator: {
        validate: (value) => typeof value === 'string' && TIME.test(value) && exists(value),
        defaultMessage: () => `$property must be a date or a time that exists. ${REMEDY}`,
      },
    },
    { context: { remedy: REMEDY } },
  );
}

/** Milliseconds since the epoch of what `IsDocumentTime` has accepted. */
export function timeOf(text: string): number {
  return Date.parse(text);
}

/** JavaScript takes 30 February for 2 March. */
function exists(text: string): boolean {
  const day = new Date(`${text.slice(0, 10)}T00:00:00Z`);
  return (
    !Number.isNaN(Date.parse(text)) &&
    !Number.isNaN(day.getTime()) &&
    day.toISOString().startsWith(text.slice(0, 10))
  );
}
