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
  Length,
  Matches,
  MaxLength,
  ValidateNested,
} from 'class-validator';
import type { Verdict } from '../../decision/decision.js';
import { DOMAIN_STATES, type DomainState } from '../../decision/decision.js';
import type { MechanismName } from '../../mitigation/mechanism.js';
import { EXPOSURE_NAMES, type Exposure } from '../../risk/exposure.js';
import { IsDocumentTime } from '../document-time.js';
import { DocumentMetadata, POLICY_API_VERSION } from '../policy-document.js';
import { ALLOWED_MECHANISMS, MODES, type Mode } from '../policy-terms.js';

const VERDICT_NAMES: readonly Verdict[] = ['unrestricted', 'exempt', 'observed', 'restricted', 'denied'];

/** A file beside the test, below the bundle's root. */
const FILE = /^(?!.*\.\.)[\w][\w./ -]{0,254}$/;
const FILE_MESSAGE = { message: '$property must be the name of a file beside the test, or below it' };

/** Mechanisms whose readiness a test may take for granted. */
export const TEST_MECHANISMS = [
  'kernel-guard',
  'kernel-parameters',
  'qemu-config-filter-property',
  'qemu-config-filter-preload',
] as const;
export type TestMechanism = (typeof TEST_MECHANISMS)[number];

/** What the host of a test is like. */
export class TestHost {
  @IsOptional()
  @IsString()
  @MaxLength(253)
  name?: string;

  @IsOptional()
  @IsArray()
  @ArrayMaxSize(32)
  @Matches(/^[^=\s]{1,128}=[^=\s]{0,128}$/, { each: true, message: '$property must be a list of key=value' })
  labels?: string[];

  /** Mechanisms that are in force there. */
  @IsOptional()
  @IsArray()
  @ArrayUnique()
  @IsIn(TEST_MECHANISMS, { each: true })
  ready?: TestMechanism[];

  /** The host's switch; absent: `enforce`. */
  @IsOptional()
  @IsIn(MODES)
  mode?: Mode;
}

/** What is expected of one device. What is not given is not compared. */
export class ExpectedDevice {
  @Matches(/^[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$/, {
    message: '$property must be a full address such as 0000:65:00.0',
  })
  bdf!: string;

  @IsOptional()
  @IsIn(VERDICT_NAMES)
  verdict?: Verdict;

  /** `POLICY/RULE`, or `none`. */
  @IsOptional()
  @Length(1, 140)
  rule?: string;

  @IsOptional()
  @Length(1, 64)
  exemption?: string;

  /** All that are planned, in any order. */
  @IsOptional()
  @IsArray()
  @ArrayUnique()
  @IsIn(ALLOWED_MECHANISMS, { each: true })
  mitigations?: MechanismName[];

  /** All exposures of which something stays open, in any order. */
  @IsOptional()
  @IsArray()
  @ArrayUnique()
  @IsIn(EXPOSURE_NAMES, { each: true })
  residual?: Exposure[];
}

/** What is expected of the decision. What is not given is not compared. */
export class Expectation {
  @IsIn(VERDICT_NAMES)
  verdict!: Verdict;

  /** Of all devices together, in any order. */
  @IsOptional()
  @IsArray()
  @ArrayUnique()
  @IsIn(ALLOWED_MECHANISMS, { each: true })
  mitigations?: MechanismName[];

  /** Exposures of which something stays open on any device, in any order. */
  @IsOptional()
  @IsArray()
  @ArrayUnique()
  @IsIn(EXPOSURE_NAMES, { each: true })
  residual?: Exposure[];

  @IsOptional()
  @IsArray()
  @ArrayMaxSize(64)
  @ValidateNested({ each: true })
  @Type(() => ExpectedDevice)
  devices?: ExpectedDevice[];

  /** File with the explanation, word for word; `wardenctl policy test --update` writes it. */
  @IsOptional()
  @Matches(FILE, FILE_MESSAGE)
  explanationFile?: string;
}

export class PolicyTestCase {
  @Length(1, 200)
  name!: string;

  /** The domain's XML. */
  @IsOptional()
  @IsString()
  domain?: string;

  /** File with the domain's XML. */
  @IsOptional()
  @Matches(FILE, FILE_MESSAGE)
  domainFile?: string;

  /** Absent: `new`. */
  @IsOptional()
  @IsIn(DOMAIN_STATES)
  domainState?: DomainState;

  /** When it is evaluated; absent: the test's own time. */
  @IsOptional()
  @IsDocumentTime()
  at?: string;

  @IsOptional()
  @ValidateNested()
  @Type(() => TestHost)
  host?: TestHost;

  @ValidateNested()
  @Type(() => Expectation)
  expect!: Expectation;
}

export class PolicyTestSpec {
  /** The host's functions, as `wardenctl inventory` writes them. */
  @IsOptional()
  @IsString()
  inventory?: string;

  /** File with them. */
  @IsOptional()
  @Matches(FILE, FILE_MESSAGE)
  inventoryFile?: string;

  /** When its cases are evaluated. */
  @IsDocumentTime()
  at!: string;

  /** Of its cases, where they have none of their own. */
  @IsOptional()
  @ValidateNested()
  @Type(() => TestHost)
  host?: TestHost;

  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(500)
  @ValidateNested({ each: true })
  @Type(() => PolicyTestCase)
  cases!: PolicyTestCase[];
}

/** What a policy is expected to decide. */
export class PolicyTestDocument {
  @Equals(POLICY_API_VERSION, { message: `$property must be ${POLICY_API_VERSION}` })
  apiVersion!: string;

  @Equals('PolicyTest', { message: '$property must be PolicyTest' })
  kind!: string;

  @ValidateNested()
  @Type(() => DocumentMetadata)
  metadata!: DocumentMetadata;

  @ValidateNested()
  @Type(() => PolicyTestSpec)
  spec!: PolicyTestSpec;
}
