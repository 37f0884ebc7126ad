import { applyDecorators } from '@nestjs/common';
import { ApiPropertyOptional } from '@nestjs/swagger';
import { Transform, Type, type TransformFnParams } from 'class-transformer';
import {
  IsBoolean,
  IsIn,
  IsInt,
  IsISO8601,
  IsOptional,
  IsString,
  Matches,
  Max,
  MaxLength,
  Min,
} from 'class-validator';
import { parseBdf } from '../pci/bdf.js';

/** A query without parameters: whatever is given is refused. */
export class NoQuery {}

/** What every list takes. */
export class PageQuery {
  @ApiPropertyOptional({ minimum: 1, maximum: 1000, default: 100 })
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(1000)
  limit = 100;

  @ApiPropertyOptional({ description: '`next` of the page before.' })
  @IsOptional()
  @IsString()
  @MaxLength(1024)
  cursor?: string;
}

/** A name, in full or in part. */
export function TextParameter(description: string, example: string): PropertyDecorator {
  return applyDecorators(
    ApiPropertyOptional({ type: String, description, example }),
    IsOptional(),
    IsString(),
    MaxLength(255),
  );
}

/** One word of a closed list. */
export function WordParameter(words: readonly string[], description: string): PropertyDecorator {
  return applyDecorators(ApiPropertyOptional({ enum: words, description }), IsOptional(), IsIn(words));
}

/** `true` or `false`. */
export function FlagParameter(description: string): PropertyDecorator {
  const read = ({ value }: TransformFnParams): unknown =>
    value === 'true' ? true : value === 'false' ? false : value;
  return applyDecorators(
    ApiPropertyOptional({ type: Boolean, description }),
    IsOptional(),
    Transform(read),
    IsBoolean({ message: '$property must be true or false' }),
  );
}

/** The address of a host function; `65:00.0` is taken for `0000:65:00.0`. */
export function DeviceParameter(description: string): PropertyDecorator {
  const read = ({ value }: TransformFnParams): unknown =>
    (typeof value === 'string' ? parseBdf(value) : undefined) ?? value;
  return applyDecorators(
    ApiPropertyOptional({ type: String, description, example: '0000:81:00.0' }),
    IsOptional(),
    Transform(read),
    Matches(/^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/, {
      message: '$property must be the address of a PCI function, such as 0000:81:00.0',
    }),
  );
}

const TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?$/;

/** A date, which is its beginning in UTC, or a time with its zone; becomes what records hold (ISO 8601, UTC, milliseconds). */
export function TimeParameter(description: string): PropertyDecorator {
  const read = ({ value }: TransformFnParams): unknown => {
    if (typeof value !== 'string' || !TIME.test(value)) return value;
    const time = new Date(value);
    return Number.isNaN(time.getTime()) || !isDate(value.slice(0, 10)) ? value : time.toISOString();
  };
  return applyDecorators(
    ApiPropertyOptional({ type: String, description, example: '2026-11-23T12:00:00Z' }),
    IsOptional(),
    Transform(read),
    IsString(),
    Matches(TIME, {
      message: '$property must be a date such as 2026-11-23, or a time such as 2026-11-23T12:00:00Z',
    }),
    IsISO8601({ strict: true }, { message: '$property must be a date that exists' }),
  );
}

/** JavaScript takes 30 February for 2 March. */
function isDate(date: string): boolean {
  const time = new Date(date);
  return !Number.isNaN(time.getTime()) && time.toISOString().startsWith(date);
}
