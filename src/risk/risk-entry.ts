import 'reflect-metadata';
import { Transform, Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  ArrayUnique,
  Equals,
  IsArray,
  IsIn,
  IsOptional,
  Length,
  Matches,
  ValidateNested,
} from 'class-validator';
import { DeviceMatch } from './device-match.js';
import { EXPOSURE_NAMES, type Exposure } from './exposure.js';
import { asList, withRemedy } from './field.js';

export const RISK_API_VERSION = 'vfio-warden.dev/v1';

/** Entries of one file. */
export const MAX_ENTRIES = 5000;

/**
 * What happens.
 * - `host-crash`: the host stops, resets or hangs
 * - `device-crash`: the device stops working, perhaps until the host reboots; the host goes on
 * - `isolation`: another tenant, another device or the next user of the device is reached
 * - `compatibility`: nothing bad by itself: a driver breaks when the exposure is closed
 */
export const EFFECTS = ['host-crash', 'device-crash', 'isolation', 'compatibility'] as const;
export type Effect = (typeof EFFECTS)[number];

/** The worst first. */
export const SEVERITIES = ['critical', 'high', 'medium', 'low', 'info'] as const;
export type Severity = (typeof SEVERITIES)[number];

/**
 * How well a statement is founded. None of them means that this project has reproduced it.
 * - `confirmed`: the source states it for the very devices that the entry matches
 * - `likely`: the source states it for a family, or acts as if it were so
 * - `class-level`: seen on unnamed devices of the class; this device may be better
 * - `unverified`: derived from reading code; nobody is known to have seen it
 */
export const CONFIDENCES = ['confirmed', 'likely', 'class-level', 'unverified'] as const;
export type Confidence = (typeof CONFIDENCES)[number];

/** Arguments of `@Length`. */
function upTo(max: number): [min: number, max: number, options: ReturnType<typeof withRemedy>] {
  return [1, max, withRemedy(`Write 1 to ${max} characters.`)];
}

export class Evidence {
  /** `Linux 7.2.13`, `LPC 2025, "VFIO: Very Frightening I/O?"`. */
  @Length(...upTo(120))
  source!: string;

  /** Where in the source: a function, a row of a table. No link: links rot. */
  @Length(...upTo(200))
  reference!: string;

  /** When it was published, or read where the source is code: `2025-12`, `2025-12-11`. */
  @Matches(
    /^\d{4}-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?$/,
    withRemedy('Write YYYY-MM or YYYY-MM-DD, such as 2025-12.'),
  )
  date!: string;
}

const ACCESSES = ['read', 'write'] as const;
const ACCESSORS = ['guest', 'qemu'] as const;

/** Registers outside any capability that software for the device uses. */
export class RegisterNeed {
  /** Offsets in config space, `0x7c` or with both ends included `0x7c-0x7f`; `unknown` where nobody has told which. */
  @Transform(asList)
  @IsArray(withRemedy('Write offsets such as 0x7c-0x7f, or unknown.'))
  @ArrayMinSize(1, withRemedy('Write offsets such as 0x7c-0x7f, or unknown.'))
  @ArrayMaxSize(64, withRemedy('Write at most 64 ranges.'))
  @Matches(/^(0x[0-9a-f]{1,3}(-0x[0-9a-f]{1,3})?|unknown)$/, {
    ...withRemedy('Write an offset of at most 0xfff or a range such as 0x7c-0x7f, or unknown.'),
    each: true,
  })
  registers!: string[];

  @Transform(asList)
  @ArrayMinSize(1, withRemedy('Write read, write, or both.'))
  @ArrayUnique(withRemedy('Name each once.'))
  @IsIn(ACCESSES, { ...withRemedy('Write read, write, or both.'), each: true })
  access!: (typeof ACCESSES)[number][];

  /** A filter in QEMU does not see QEMU's own accesses; what sits in the kernel sees both. */
  @Transform(asList)
  @ArrayMinSize(1, withRemedy('Write guest, qemu, or both.'))
  @ArrayUnique(withRemedy('Name each once.'))
  @IsIn(ACCESSORS, { ...withRemedy('Write guest (its driver), qemu (its own quirks), or both.'), each: true })
  by!: (typeof ACCESSORS)[number][];

  /** Where the driver does not use config accesses, but a window in a BAR. */
  @IsOptional()
  @IsIn(['config-mirror-in-bar'], withRemedy('Write config-mirror-in-bar, or leave the field out.'))
  through?: 'config-mirror-in-bar';
}

const OFFSET = /^0x[0-9a-f]{1,8}$/;

/** A window in a BAR through which config space can be reached once more. */
export class ConfigMirror {
  @Matches(/^[0-5]$/, withRemedy('Write the number of the BAR, 0 to 5.'))
  bar!: string;

  /** Of the window in the BAR, in bytes, hexadecimal. */
  @Matches(OFFSET, withRemedy('Write a hexadecimal offset such as 0x88000.'))
  offset!: string;

  /** Of the window in bytes, hexadecimal. */
  @Matches(OFFSET, withRemedy('Write a hexadecimal size such as 0x1000.'))
  size!: string;

  /** `direct`: byte by byte. `index-data`: an address register and a data register. */
  @IsIn(['direct', 'index-data'], withRemedy('Write direct or index-data.'))
  addressing!: 'direct' | 'index-data';

  /** Whether stock QEMU sends accesses through the window to config space; else they go straight to the device. */
  @IsIn(['always', 'with-x-vga', 'never'], withRemedy('Write always, with-x-vga or never.'))
  trappedByQemu!: 'always' | 'with-x-vga' | 'never';

  /** Which of the matched devices have the window, where that is not all of them. */
  @IsOptional()
  @Length(...upTo(200))
  when?: string;
}

/**
 * What Linux does about it by itself, and how one sees on the host that it does. Without anything to see it by the risk
 * counts as open: a kernel may be older than the source that the entry cites.
 */
export class KernelHandling {
  @Length(...upTo(400))
  how!: string;

  /** Handled where the function's config space ends here or before (`pdev->cfg_size`), hexadecimal. */
  @IsOptional()
  @Matches(/^0x[0-9a-f]{1,4}$/, withRemedy('Write a hexadecimal size in bytes such as 0x600.'))
  configSizeAtMost?: string;

  /** Handled where `reset_method` lists methods, and this is not one of them. */
  @IsOptional()
  @Matches(/^[a-z_]{1,32}$/, withRemedy('Write a name from reset_method, such as flr.'))
  resetMethodAbsent?: string;

  /** Handled where `reset_method` lists this method. */
  @IsOptional()
  @Matches(/^[a-z_]{1,32}$/, withRemedy('Write a name from reset_method, such as device_specific.'))
  resetMethodPresent?: string;
}

/** One statement about some devices, with its evidence. */
export class RiskEntry {
  /** Names the entry in decisions for as long as they are kept: never reused for something else. */
  @Matches(/^[a-z0-9]+(-[a-z0-9]+)*$/, withRemedy('Write lower-case words with dashes, such as nfp-lockup.'))
  @Length(...upTo(64))
  id!: string;

  /** The entry applies where one of these matches. */
  @Transform(asList)
  @IsArray(withRemedy('Write one match, or a list of them.'))
  @ArrayMinSize(1, withRemedy('Write at least one match; {} matches every function.'))
  @ArrayMaxSize(32, withRemedy('Write at most 32 matches.'))
  @ValidateNested({ ...withRemedy('Write fields such as vendor and device.'), each: true })
  @Type(() => DeviceMatch)
  match!: DeviceMatch[];

  /** What of the device the statement is about; empty where closing no exposure would help. */
  @IsArray(withRemedy('Write a list of exposures; [] where none of them covers it.'))
  @ArrayUnique(withRemedy('Name each exposure once.'))
  @IsIn(EXPOSURE_NAMES, { ...withRemedy(`Use one of ${EXPOSURE_NAMES.join(', ')}.`), each: true })
  exposures!: Exposure[];

  @IsIn(EFFECTS, withRemedy(`Use one of ${EFFECTS.join(', ')}.`))
  effect!: Effect;

  @IsIn(SEVERITIES, withRemedy(`Use one of ${SEVERITIES.join(', ')}.`))
  severity!: Severity;

  @IsIn(CONFIDENCES, withRemedy(`Use one of ${CONFIDENCES.join(', ')}.`))
  confidence!: Confidence;

  /** `bare-metal`: seen where no VFIO stands between tenant and device, so out of vfio-warden's reach. */
  @IsOptional()
  @IsIn(['bare-metal'], withRemedy('Write bare-metal, or leave the field out.'))
  scope?: 'bare-metal';

  /** One sentence. */
  @Length(...upTo(300))
  summary!: string;

  /** What an operator should do. */
  @IsOptional()
  @Length(...upTo(400))
  advice?: string;

  /** What vfio-warden cannot do about it. */
  @IsOptional()
  @Length(...upTo(400))
  limits?: string;

  @IsOptional()
  @ValidateNested(withRemedy('Write at least the field how.'))
  @Type(() => KernelHandling)
  handledByLinux?: KernelHandling;

  /** For `effect: compatibility`; empty says that no such register is needed, against a more general entry. */
  @IsOptional()
  @IsArray(withRemedy('Write a list of needs.'))
  @ArrayMaxSize(16, withRemedy('Write at most 16 needs.'))
  @ValidateNested({ ...withRemedy('Write registers, access and by.'), each: true })
  @Type(() => RegisterNeed)
  needs?: RegisterNeed[];

  /** For the exposure `config-mirror-in-bar`. */
  @IsOptional()
  @IsArray(withRemedy('Write a list of windows.'))
  @ArrayMinSize(1, withRemedy('Write at least one window.'))
  @ArrayMaxSize(16, withRemedy('Write at most 16 windows.'))
  @ValidateNested({ ...withRemedy('Write bar, offset, size, addressing and trappedByQemu.'), each: true })
  @Type(() => ConfigMirror)
  mirrors?: ConfigMirror[];

  @IsArray(withRemedy('Write a list of evidence.'))
  @ArrayMinSize(1, withRemedy('Cite at least one source.'))
  @ArrayMaxSize(16, withRemedy('Cite at most 16 sources.'))
  @ValidateNested({ ...withRemedy('Write source, reference and date.'), each: true })
  @Type(() => Evidence)
  evidence!: Evidence[];
}

/** One entry in a file of its own. */
export class RiskEntryDocument {
  @Equals(RISK_API_VERSION, withRemedy(`Write ${RISK_API_VERSION}.`))
  apiVersion!: string;

  @Equals('RiskEntry', withRemedy('Write RiskEntry.'))
  kind!: string;

  @ValidateNested(withRemedy('Write an entry with its fields.'))
  @Type(() => RiskEntry)
  spec!: RiskEntry;
}

/** A file of the risk database. */
export class RiskList {
  @Equals(RISK_API_VERSION, withRemedy(`Write ${RISK_API_VERSION}.`))
  apiVersion!: string;

  @Equals('RiskList', withRemedy('Write RiskList.'))
  kind!: string;

  @IsArray(withRemedy('Write a list of entries.'))
  @ArrayMaxSize(MAX_ENTRIES, withRemedy(`Split the file: at most ${MAX_ENTRIES} entries.`))
  @ValidateNested({ ...withRemedy('Write an entry with its fields.'), each: true })
  @Type(() => RiskEntry)
  entries!: RiskEntry[];
}
