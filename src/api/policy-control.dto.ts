import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsInt, Matches, Max, Min } from 'class-validator';
import type { HeldRevision } from '../policy/activation/policy-state.js';
import {
  STEPS,
  type PolicyStatus,
  type SyncOutcome,
  type SyncResult,
  type UnderWay,
} from '../policy/activation/policy-status.js';
import { EXEMPTION_STATES, type ExemptionState } from '../policy/exemption-state.js';
import { REFUSAL_REASONS, type RefusalReason } from '../policy/sources/source-refusal.js';

const RESULTS: readonly SyncResult[] = ['activated', 'unchanged', 'held', 'waiting', 'pinned', 'refused'];

export class RevisionRequest {
  @ApiProperty({
    description:
      'Id or commit of a revision, or at least 7 digits of its beginning; to pin one also `previous`.',
    example: '4f1d2c9a7b30',
  })
  @Matches(/^([0-9a-f]{7,64}|previous)$/, { message: '$property must be 7 to 64 hexadecimal digits' })
  revision!: string;
}

/** Whoever sends a webhook gives up after ten seconds, as GitHub does. */
const DEFAULT_WAIT_S = 8;
/** Less than the time after which a connection without a word is closed. */
export const MAX_WAIT_S = 30;

export class WaitQuery {
  @ApiPropertyOptional({
    minimum: 0,
    maximum: MAX_WAIT_S,
    default: DEFAULT_WAIT_S,
    description: 'Seconds after which the answer is 202 where it is not done yet.',
  })
  @Type(() => Number)
  @IsInt()
  @Min(0)
  @Max(MAX_WAIT_S)
  wait = DEFAULT_WAIT_S;
}

/** What is not done yet, and goes on. */
export class UnderWayAnswer {
  @ApiProperty({ enum: ['under-way'] })
  result!: 'under-way';

  @ApiProperty({ description: 'In words.' })
  detail!: string;
}

export class SyncAnswer implements SyncOutcome {
  @ApiProperty({ enum: RESULTS })
  result!: SyncResult;

  @ApiProperty({ description: 'In words.' })
  detail!: string;

  @ApiPropertyOptional({ enum: REFUSAL_REASONS, description: 'Why it was refused.' })
  reason?: RefusalReason;

  @ApiPropertyOptional({ description: 'The commit that was refused.' })
  commit?: string;
}

class UnderWayView implements UnderWay {
  @ApiProperty({ enum: STEPS })
  step!: UnderWay['step'];

  @ApiProperty({ format: 'date-time' })
  since!: string;
}

class TimedSyncView extends SyncAnswer {
  @ApiProperty({ format: 'date-time' })
  at!: string;
}

class RevisionInForceView {
  @ApiProperty({ description: 'SHA-256 over its files.' })
  id!: string;

  @ApiProperty({ description: 'As decisions name it: SHA-256 of what its rules and exemptions say.' })
  revision!: string;

  @ApiPropertyOptional()
  commit?: string;

  @ApiPropertyOptional({ description: 'Whose signature of the commit was verified.' })
  signer?: string;

  @ApiPropertyOptional({
    format: 'date-time',
    description: 'Absent: it was in force when the service started.',
  })
  activatedAt?: string;
}

class HeldExampleView {
  @ApiProperty()
  domain!: string;

  @ApiProperty({ type: [String] })
  changes!: string[];
}

class HeldRevisionView implements HeldRevision {
  @ApiProperty()
  id!: string;

  @ApiPropertyOptional()
  commit?: string;

  @ApiPropertyOptional()
  signer?: string;

  @ApiProperty({ format: 'date-time' })
  since!: string;

  @ApiProperty()
  reason!: string;

  @ApiProperty({ description: 'Domains with assigned devices.' })
  domains!: number;

  @ApiProperty({ description: 'Those of them that would be denied, or get other guest hardware.' })
  disruptive!: number;

  @ApiProperty({ type: [HeldExampleView] })
  examples!: HeldExampleView[];
}

export class PolicyStatusAnswer implements PolicyStatus {
  @ApiProperty({ description: 'Where policies come from.' })
  source!: string;

  @ApiPropertyOptional({ type: RevisionInForceView, description: "Absent: the package's own policies are." })
  inForce!: RevisionInForceView | undefined;

  @ApiPropertyOptional({
    type: String,
    description: 'Id of the revision that stays, whatever the source says.',
  })
  pinned!: string | undefined;

  @ApiPropertyOptional({ type: HeldRevisionView, description: 'It waits for a person.' })
  held!: HeldRevisionView | undefined;

  @ApiPropertyOptional({ type: TimedSyncView })
  lastSync!: TimedSyncView | undefined;

  @ApiPropertyOptional({ type: TimedSyncView })
  lastRefusal!: TimedSyncView | undefined;

  @ApiPropertyOptional({ type: TimedSyncView, description: 'Of approvals and pins.' })
  lastRequest!: TimedSyncView | undefined;

  @ApiProperty({
    type: [UnderWayView],
    description: 'Looks at the source, approvals and pins that are not done yet.',
  })
  underWay!: readonly UnderWayView[];

  @ApiProperty({
    type: [String],
    description:
      'What is hardly meant in the revision in force: selectors that match nothing here, for example.',
  })
  warnings!: readonly string[];
}

class ExemptionStateView {
  @ApiProperty()
  name!: string;

  @ApiProperty({ enum: EXEMPTION_STATES, description: '`expiring`: in its last 14 days.' })
  state!: ExemptionState;

  @ApiProperty()
  from!: string;

  @ApiProperty()
  expires!: string;

  @ApiProperty()
  owner!: string;

  @ApiProperty()
  ticket!: string;

  @ApiProperty()
  reason!: string;

  @ApiProperty()
  file!: string;
}

export class ExemptionsAnswer {
  @ApiProperty({ type: [ExemptionStateView], description: 'The one that ends first comes first.' })
  items!: ExemptionStateView[];
}
