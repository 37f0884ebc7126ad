import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Matches } from 'class-validator';
import type { HeldRevision } from '../policy/activation/policy-state.js';
import type { PolicyStatus, SyncOutcome, SyncResult } from '../policy/activation/policy-status.js';
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

export class SyncAnswer implements SyncOutcome {
  @ApiProperty({ enum: RESULTS })
  result!: SyncResult;

  @ApiProperty({ description: 'In words.' })
  detail!: string;

  @ApiPropertyOptional({ enum: REFUSAL_REASONS, description: 'Why it was refused.' })
  reason?: RefusalReason;
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
