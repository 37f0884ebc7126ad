import { Transform } from 'class-transformer';
import { ArrayMaxSize, ArrayMinSize, ArrayUnique, IsArray, IsIn, IsOptional, Matches } from 'class-validator';
import type { PciFunctionKind } from '../pci/pci-function.js';
import { asList, wildcard, withRemedy } from './field.js';

/** Items of one `device` list. */
const MAX_DEVICE_ITEMS = 512;

/** Device ids that one rule may name, ranges written out: one sixteenth of a vendor's ids. */
export const MAX_DEVICE_IDS = 4096;

const ID = /^[0-9a-f]{4}$/;
const ID_REMEDY = 'Write 4 lower-case hexadecimal digits without 0x, such as 10de.';

/**
 * Which functions an entry speaks of. All fields that are given must match; a field left out, or `*`, matches anything.
 * Ids are written as sysfs has them, without `0x`.
 */
export class DeviceMatch {
  /** 4 digits. */
  @IsOptional()
  @Transform(wildcard)
  @Matches(ID, withRemedy(ID_REMEDY))
  vendor?: string;

  /** 4 digits each, or a range of them with both ends included: `2340-237f`. */
  @IsOptional()
  @Transform(wildcard)
  @Transform(asList)
  @IsArray(withRemedy(ID_REMEDY))
  @ArrayMinSize(1, withRemedy('Name at least one device, or leave the field out.'))
  @ArrayMaxSize(MAX_DEVICE_ITEMS, withRemedy(`Name at most ${MAX_DEVICE_ITEMS} ids and ranges.`))
  @ArrayUnique(withRemedy('Name each device once.'))
  @Matches(/^[0-9a-f]{4}(-[0-9a-f]{4})?$/, {
    ...withRemedy('Write 4 lower-case hexadecimal digits, or a range such as 2340-237f.'),
    each: true,
  })
  device?: string[];

  @IsOptional()
  @Transform(wildcard)
  @Matches(ID, withRemedy(ID_REMEDY))
  subsystemVendor?: string;

  @IsOptional()
  @Transform(wildcard)
  @Matches(ID, withRemedy(ID_REMEDY))
  subsystemDevice?: string;

  /** Prefix of the class code: 2 digits (base class), 4 (with sub-class) or 6 (with programming interface). */
  @IsOptional()
  @Transform(wildcard)
  @Matches(/^([0-9a-f]{2}){1,3}$/, withRemedy('Write 2, 4 or 6 lower-case hexadecimal digits, such as 0108.'))
  class?: string;

  @IsOptional()
  @Transform(wildcard)
  @IsIn(['pf', 'vf'], withRemedy('Write pf or vf, or leave the field out for both.'))
  function?: PciFunctionKind;

  /** 2 digits, or a range with both ends included: `00-1f`. */
  @IsOptional()
  @Transform(wildcard)
  @Matches(
    /^[0-9a-f]{2}(-[0-9a-f]{2})?$/,
    withRemedy('Write 2 lower-case hexadecimal digits, or a range such as 00-1f.'),
  )
  revision?: string;
}

/**
 * What is known of a function that is looked up; a `PciFunction` is one. Ids are lower-case hexadecimal. Without a class
 * nothing is found by class, without subsystem ids nothing by subsystem. A kind or revision that is not known excludes
 * no entry.
 */
export interface PciIdentity {
  vendor: string;
  device: string;
  subsystemVendor?: string;
  subsystemDevice?: string;
  /** 2, 4 or 6 digits. */
  class?: string;
  revision?: string;
  kind?: PciFunctionKind;
}

/** From general to specific. */
export const MATCH_LEVELS = [
  'any',
  'base-class',
  'class',
  'programming-interface',
  'vendor',
  'vendor+base-class',
  'vendor+class',
  'vendor+programming-interface',
  'device',
  'device+subsystem-vendor',
  'device+subsystem',
] as const;

export type MatchLevel = (typeof MATCH_LEVELS)[number];

export function levelOf(match: DeviceMatch): MatchLevel {
  if (match.subsystemDevice !== undefined) return 'device+subsystem';
  if (match.subsystemVendor !== undefined) return 'device+subsystem-vendor';
  if (match.device !== undefined) return 'device';
  const base = match.vendor === undefined ? 0 : MATCH_LEVELS.indexOf('vendor');
  return MATCH_LEVELS[base + (match.class?.length ?? 0) / 2]!;
}

/**
 * How exactly a rule names a function, 0 (any) to 32; the higher is the more specific: first by level, and within a
 * level a rule that also names the function kind or the revision before one that does not.
 */
export function specificityOf(match: DeviceMatch): number {
  const narrowed = Number(match.function !== undefined) + Number(match.revision !== undefined);
  return 3 * MATCH_LEVELS.indexOf(levelOf(match)) + narrowed;
}

/** The device ids that a rule names, with its ranges written out in order; undefined where it names none. */
export function deviceIdsOf(match: DeviceMatch): string[] | undefined {
  return match.device?.flatMap((item) => {
    const [from, to] = hexRange(item);
    return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) =>
      (from + index).toString(16).padStart(4, '0'),
    );
  });
}

/** Both ends of `a` or `a-b` in hexadecimal, with or without `0x`. */
export function hexRange(text: string): [from: number, to: number] {
  const [from, to] = text.split('-');
  return [parseInt(from!, 16), parseInt(to ?? from!, 16)];
}

/** Whether a function has the kind and revision that a rule asks for; ids and class are compared elsewhere. */
export function admitsKindAndRevision(match: DeviceMatch, fn: PciIdentity): boolean {
  if (match.function !== undefined && fn.kind !== undefined && match.function !== fn.kind) return false;
  if (match.revision === undefined || fn.revision === undefined) return true;
  const [from, to] = hexRange(match.revision);
  const revision = parseInt(fn.revision, 16);
  return from <= revision && revision <= to;
}
