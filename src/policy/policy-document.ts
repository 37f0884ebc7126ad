import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
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
import { EFFECTS, type Effect } from '../mitigation/access-rules/access-rules.js';
import type { MechanismName } from '../mitigation/mechanism.js';
import {
  ALLOWED_MECHANISMS,
  CHANGE_PERMISSIONS,
  KNOWLEDGE,
  MODES,
  UNCOVERED_ACTIONS,
  UNVERIFIED_ACTIONS,
  type ChangePermission,
  type Knowledge,
  type Mode,
  type UncoveredAction,
  type UnverifiedAction,
} from './policy-terms.js';
import { OptionalListOf } from '../documents/optional-list.js';
import { IsWholeNumber } from '../documents/whole-number.js';
import { IsDocumentTime } from './document-time.js';
import { DeviceDomainMatch, Scope } from './selectors.js';

export const POLICY_API_VERSION = 'vfio-warden.dev/v1';

const NAME = /^[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?$/;
const NAME_HINT = 'must be lower-case letters, digits, dots and dashes (at most 64)';
/** Rules of one document. */
export const MAX_RULES = 4096;

/** Selects by what the risk database says of the device. */
export class RiskSelector {
  /** Matches where at least one risk is known this exactly. */
  @IsIn(KNOWLEDGE)
  knownBy!: Knowledge;
}

export class RuleMatch extends DeviceDomainMatch {
  @IsOptional()
  @ValidateNested()
  @Type(() => RiskSelector)
  risk?: RiskSelector;
}

/** From a time on, the rule is enforced on a share of the hosts, and observed on the others. */
export class RolloutStep {
  /** Absent: from the beginning. */
  @IsOptional()
  @IsDocumentTime()
  from?: string;

  /** Percent of the hosts, 0 to 100, by a stable hash of the host's name; absent: all. */
  @IsOptional()
  @IsWholeNumber(0, 100)
  hosts?: number;
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

  /** What becomes of reads of the unassigned bytes that are closed to writes; absent: they pass. */
  @IsOptional()
  @IsIn(EFFECTS)
  unassignedReads?: Effect;

  @IsOptional()
  @IsIn(CHANGE_PERMISSIONS)
  topologyChange?: ChangePermission;

  @IsOptional()
  @IsIn(UNCOVERED_ACTIONS)
  uncovered?: UncoveredAction;

  /** Where QEMU is seen not to have the config filter that the rule relies on: only told, or the domain is ended. */
  @IsOptional()
  @IsIn(UNVERIFIED_ACTIONS)
  unverified?: UnverifiedAction;

  /** Of a rule with mode `enforce`: where it is enforced yet. Before the first step it is observed. */
  @OptionalListOf(() => RolloutStep, 16)
  rollout?: RolloutStep[];
}

/** What exemptions may be like. */
export class ExemptionLimits {
  /** Days between `from` and `expires`, 1 to 3650; of several policies the least counts. */
  @IsWholeNumber(1, 3650)
  longestDays!: number;
}

export class PolicySpec {
  /** Where the rules hold; absent: everywhere. */
  @IsOptional()
  @ValidateNested()
  @Type(() => Scope)
  scope?: Scope;

  @IsOptional()
  @ValidateNested()
  @Type(() => ExemptionLimits)
  exemptions?: ExemptionLimits;

  @IsArray()
  @ArrayMaxSize(MAX_RULES)
  @ValidateNested({ each: true })
  @Type(() => PolicyRule)
  rules!: PolicyRule[];
}

export class DocumentMetadata {
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
  @Type(() => DocumentMetadata)
  metadata!: DocumentMetadata;

  @ValidateNested()
  @Type(() => PolicySpec)
  spec!: PolicySpec;
}
