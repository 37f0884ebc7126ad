import 'reflect-metadata';
import { plainToInstance, Type } from 'class-transformer';
import {
  ArrayMaxSize,
  Equals,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  Matches,
  Max,
  MaxLength,
  Min,
  ValidateIf,
  ValidateNested,
  validateSync,
  type ValidationError,
} from 'class-validator';
import { LocatedError } from '../located-error.js';
import {
  DRIVER_NAME,
  MAX_CONFIG_BYTES,
  MAX_FUNCTIONS,
  MAX_RESET_METHODS,
  RESET_METHOD,
  type PciFunctionKind,
} from './pci-function.js';

export const INVENTORY_API_VERSION = 'vfio-warden.dev/v1';
export const INVENTORY_KIND = 'Inventory';

/** What to do about a document that is not right. */
export const INVENTORY_REMEDY = 'Correct it, or write the inventory anew with wardenctl.';

const MAX_CONFIG_BASE64 = 4 * Math.ceil(MAX_CONFIG_BYTES / 3);

/** May be left out, but not be null, as `IsOptional` would allow. */
const Optional = () => ValidateIf((_, value) => value !== undefined);
const Digits = (count: number) =>
  Matches(new RegExp(`^[0-9a-f]{${count}}$`), { message: `must be ${count} lower-case hexadecimal digits` });
const Address = () =>
  Matches(/^[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$/, {
    message: 'must be a PCI address such as 0000:65:00.0',
  });

/** A function as JSON; config space in base64. */
export class FunctionDto {
  @Address()
  bdf!: string;

  @Digits(4)
  vendor!: string;

  @Digits(4)
  device!: string;

  @Optional()
  @Digits(4)
  subsystemVendor?: string;

  @Optional()
  @Digits(4)
  subsystemDevice?: string;

  @Digits(2)
  revision!: string;

  @Digits(6)
  class!: string;

  @IsIn(['pf', 'vf'], { message: 'must be pf or vf' })
  kind!: PciFunctionKind;

  @Optional()
  @Address()
  physicalFunction?: string;

  @Optional()
  @Matches(DRIVER_NAME, { message: 'must be the name of a kernel driver' })
  driver?: string;

  @Optional()
  @IsInt({ message: 'must be a whole number' })
  @Min(0, { message: 'must not be negative' })
  @Max(999_999_999, { message: 'must be at most 999999999' })
  iommuGroup?: number;

  @IsArray({ message: 'must be a list' })
  @ArrayMaxSize(MAX_RESET_METHODS, { message: `must have at most ${MAX_RESET_METHODS} entries` })
  @Matches(RESET_METHOD, { each: true, message: 'must hold names such as flr, pm, bus' })
  resetMethods!: string[];

  @Optional()
  @IsBoolean({ message: 'must be true or false' })
  express?: boolean;

  @Optional()
  @IsInt({ message: 'must be a whole number' })
  @Min(64, { message: 'must be at least 64' })
  @Max(MAX_CONFIG_BYTES, { message: `must be at most ${MAX_CONFIG_BYTES}` })
  configSize?: number;

  @Optional()
  @MaxLength(MAX_CONFIG_BASE64, { message: `must be at most ${MAX_CONFIG_BYTES} bytes in base64` })
  configSpace?: string;
}

/** The whole document as JSON. */
export class InventoryDto {
  @Equals(INVENTORY_API_VERSION, { message: `must be ${INVENTORY_API_VERSION}` })
  apiVersion!: string;

  @Equals(INVENTORY_KIND, { message: `must be ${INVENTORY_KIND}` })
  kind!: string;

  @Optional()
  @Matches(/^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/, { message: 'must be a host name' })
  host?: string;

  @Matches(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/, {
    message: 'must be a UTC time, 2026-01-31T12:00:00Z',
  })
  takenAt!: string;

  @ValidateNested({ each: true })
  @Type(() => FunctionDto)
  functions!: FunctionDto[];
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Checks the fields one by one; what concerns several of them is left to the caller.
 *
 * @throws LocatedError with the name and the field's path
 */
export function validateInventory(value: unknown, name: string): InventoryDto {
  const refuse = (path: string, problem: string): never => {
    throw new LocatedError(problem, path === '' ? name : `${name}: ${path}`, INVENTORY_REMEDY);
  };
  // Shape and size come first: class-transformer would follow a list within the list, and any number of entries.
  if (!isObject(value)) return refuse('', 'it is not a JSON object');
  const functions: unknown = 'functions' in value ? value.functions : undefined;
  if (!Array.isArray(functions)) return refuse('functions', 'must be a list');
  if (functions.length > MAX_FUNCTIONS)
    return refuse('functions', `must have at most ${MAX_FUNCTIONS} entries`);
  const misshapen = functions.findIndex((entry) => !isObject(entry));
  if (misshapen !== -1) return refuse(`functions[${misshapen}]`, 'must be an object');
  let dto: InventoryDto;
  let errors: ValidationError[];
  try {
    dto = plainToInstance(InventoryDto, value);
    errors = validateSync(dto, { whitelist: true, forbidNonWhitelisted: true, stopAtFirstError: true });
  } catch (error) {
    if (error instanceof RangeError) return refuse('', 'it is nested too deeply');
    throw error;
  }
  const [first] = errors;
  if (first) {
    const { path, problem } = describe(first);
    refuse(path, problem);
  }
  return dto;
}

function describe(error: ValidationError, parent = ''): { path: string; problem: string } {
  const name = /^\d+$/.test(error.property) ? `[${error.property}]` : `.${error.property.slice(0, 40)}`;
  const path = parent === '' ? name.replace(/^\./, '') : parent + name;
  const [child] = error.children ?? [];
  if (child) return describe(child, path);
  const [[constraint, problem] = ['', 'is not valid']] = Object.entries(error.constraints ?? {});
  return { path, problem: constraint === 'whitelistValidation' ? 'is not a known field' : problem };
}
