import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  ArrayUnique,
  Equals,
  IsArray,
  IsIn,
  IsOptional,
  IsString,
  Matches,
  MaxLength,
  ValidateIf,
  ValidateNested,
} from 'class-validator';
import { EXPOSURE_NAMES, type Exposure } from '../risk/exposure.js';
import type { MechanismName } from '../mitigation/mechanism.js';
import {
  ALLOWED_MECHANISMS,
  CHANGE_PERMISSIONS,
  KNOWLEDGE,
  MODES,
  UNCOVERED_ACTIONS,
  type ChangePermission,
  type Knowledge,
  type Mode,
  type UncoveredAction,
} from './policy-terms.js';

export const POLICY_API_VERSION = 'vfio-warden.dev/v1';

const ID4 = /^[0-9a-f]{4}$/;
const NAME = /^[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?$/;
const NAME_HINT = 'must be lower-case letters, digits, dots and dashes (at most 64)';
const MAX_SELECTORS = 256;

/** Selects assigned devices; all fields that are given must match. */
export class DeviceSelector {
  @IsOptional()
  @Matches(ID4, { message: '$property must be 4 lower-case hexadecimal digits in quotes, such as "10de"' })
  vendor?: string;

  @IsOptional()
  @Matches(ID4, { message: '$property must be 4 lower-case hexadecimal digits in quotes, such as "2330"' })
  device?: string;

  /** Prefix of the class code: base class, with sub-class, or with programming interface. */
  @IsOptional()
  @Matches(/^([0-9a-f]{2}){1,3}$/, {
    message: '$property must be 2, 4 or 6 lower-case hexadecimal digits in quotes, such as "0108"',
  })
  class?: string;

  @IsOptional()
  @IsIn(['pf', 'vf'])
  function?: 'pf' | 'vf';

  @IsOptional()
  @Matches(/^[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$/, {
    message: '$property must be a full address such as 0000:65:00.0',
  })
  bdf?: string;
}

/** Selects domains; all fields that are given must match. */
export class DomainSelector {
  /** `*` stands for any run of characters. */
  @IsOptional()
  @IsString()
  @MaxLength(256)
  name?: string;

  @IsOptional()
  @Matches(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i, { message: '$property must be a UUID' })
  uuid?: string;
}

/** Selects by what the risk database says of the device. */
export class RiskSelector {
  /** Matches where at least one risk is known this exactly. */
  @IsIn(KNOWLEDGE)
  knownBy!: Knowledge;
}

export class RuleMatch {
  /** One of these must match; absent: every device. */
  @IsOptional()
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MAX_SELECTORS)
  @ValidateNested({ each: true })
  @Type(() => DeviceSelector)
  devices?: DeviceSelector[];

  /** One of these must match; absent: every domain. */
  @IsOptional()
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(MAX_SELECTORS)
  @ValidateNested({ each: true })
  @Type(() => DomainSelector)
  domains?: DomainSelector[];

  @IsOptional()
  @ValidateNested()
  @Type(() => RiskSelector)
  risk?: RiskSelector;
}

export class PolicyRule {
  @Matches(NAME, { message: `$property ${NAME_HINT}` })
  name!: string;

  @IsOptional()
  @IsString()
  @MaxLength(1000)
  description?: string;

  @IsOptional()
  @ValidateNested()
  @Type(() => RuleMatch)
  match?: RuleMatch;

  @IsIn(MODES)
  mode!: Mode;

  /** `risks`: the exposures that the risk database names for the device; or a list. */
  @ValidateIf((rule: PolicyRule) => rule.require !== 'risks' && rule.mode !== 'off')
  @IsArray({ message: '$property must be "risks" or a list of exposures' })
  @ArrayUnique()
  @IsIn(EXPOSURE_NAMES, { each: true })
  require?: 'risks' | Exposure[];

  /** In order of preference. */
  @ValidateIf((rule: PolicyRule) => rule.mode !== 'off')
  @IsArray()
  @ArrayUnique()
  @IsIn(ALLOWED_MECHANISMS, { each: true })
  mitigations?: MechanismName[];

  @IsOptional()
  @IsIn(CHANGE_PERMISSIONS)
  topologyChange?: ChangePermission;

  @IsOptional()
  @IsIn(UNCOVERED_ACTIONS)
  uncovered?: UncoveredAction;
}

export class PolicySpec {
  @IsArray()
  @ArrayMaxSize(4096)
  @ValidateNested({ each: true })
  @Type(() => PolicyRule)
  rules!: PolicyRule[];
}

export class PolicyMetadata {
  @Matches(NAME, { message: `$property ${NAME_HINT}` })
  name!: string;

  @IsOptional()
  @IsString()
  @MaxLength(1000)
  description?: string;
}

/** A policy document: rules in order, the first that matches a device decides about it. */
export class PolicyDocument {
  @Equals(POLICY_API_VERSION, { message: `$property must be ${POLICY_API_VERSION}` })
  apiVersion!: string;

  @Equals('Policy', { message: '$property must be Policy' })
  kind!: string;

  @ValidateNested()
  @Type(() => PolicyMetadata)
  metadata!: PolicyMetadata;

  @ValidateNested()
  @Type(() => PolicySpec)
  spec!: PolicySpec;
}
