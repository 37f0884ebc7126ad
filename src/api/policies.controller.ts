import { Body, Controller, Delete, Get, HttpCode, Inject, Post, Put, Query, Req } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Request } from 'express';
import { DecisionService } from '../decision/decision.service.js';
import { timeOf } from '../policy/document-time.js';
import { exemptionState } from '../policy/exemption-state.js';
import { SourceRefusal } from '../policy/sources/source-refusal.js';
import { callerOf } from './access/caller.js';
import { RequiresRole } from './access/role.guard.js';
import {
  EXEMPTIONS_EXAMPLE,
  POLICIES_EXAMPLE,
  POLICY_STATUS_EXAMPLE,
  SYNC_EXAMPLE,
} from './examples/policies.js';
import { POLICY_CONTROL } from './injection.js';
import { sliceOf } from './list-in-memory.js';
import { Answer, AnswerNotFound } from './openapi.js';
import { PoliciesAnswer } from './policies.dto.js';
import type { PolicyControl } from './policy-control.js';
import { ExemptionsAnswer, PolicyStatusAnswer, RevisionRequest, SyncAnswer } from './policy-control.dto.js';
import { ProblemError } from './problem-details.js';
import { NoQuery, PageQuery } from './query-fields.js';

@ApiTags('policies')
@Controller('v1/policies')
export class PoliciesController {
  constructor(
    private readonly decisions: DecisionService,
    @Inject(POLICY_CONTROL) private readonly control: PolicyControl,
  ) {}

  @Get()
  @ApiOperation({ summary: 'The rules in force, in order, by pages' })
  @Answer(PoliciesAnswer, 'The rules.', POLICIES_EXAMPLE)
  list(@Query() paging: PageQuery): PoliciesAnswer {
    const { exemptions: _, rules, ...policy } = this.decisions.basis.policy;
    const { from, to, next } = sliceOf('policies', policy.revision, rules.length, paging);
    return { ...policy, rules: rules.slice(from, to), ...(next !== undefined && { next }) };
  }

  @Get('status')
  @ApiOperation({
    summary: 'Which revision is in force, what waits, and how the last look at the source went',
  })
  @Answer(PolicyStatusAnswer, 'The status.', POLICY_STATUS_EXAMPLE)
  status(@Query() _query: NoQuery): PolicyStatusAnswer {
    return this.control.status();
  }

  @Get('exemptions')
  @ApiOperation({ summary: 'Exemptions, and when they end' })
  @Answer(ExemptionsAnswer, 'All of the revision in force, the expired ones, too.', EXEMPTIONS_EXAMPLE)
  exemptions(@Query() _query: NoQuery): ExemptionsAnswer {
    const { exemptions = [] } = this.decisions.basis.policy;
    const items = exemptions
      .map((exemption) => {
        const { name, from, expires, owner, ticket, reason, file } = exemption;
        return {
          name,
          state: exemptionState(exemption, Date.now()),
          from,
          expires,
          owner,
          ticket,
          reason,
          file,
        };
      })
      .toSorted((a, b) => timeOf(a.expires) - timeOf(b.expires));
    return { items };
  }

  @Post('sync')
  @HttpCode(200)
  @RequiresRole('sync')
  @ApiOperation({
    summary: 'Look at the source of policies now',
    description: 'For webhooks: a token with the role `sync` may do this and nothing else.',
  })
  @Answer(SyncAnswer, 'What it came to.', SYNC_EXAMPLE)
  sync(@Query() _query: NoQuery): Promise<SyncAnswer> {
    return this.control.sync();
  }

  @Post('approve')
  @HttpCode(200)
  @RequiresRole('operate')
  @ApiOperation({ summary: 'Let a revision that waits come into force' })
  @Answer(SyncAnswer, 'What it came to.', SYNC_EXAMPLE)
  @AnswerNotFound('no revision waits', 'GET /v1/policies/status says which one does.')
  approve(
    @Body() { revision }: RevisionRequest,
    @Query() _query: NoQuery,
    @Req() request: Request,
  ): Promise<SyncAnswer> {
    return orNotFound(this.control.approve(revision, actorOf(request)));
  }

  @Put('pin')
  @RequiresRole('operate')
  @ApiOperation({
    summary: 'Put a revision in force that this host has, and keep it whatever the source says',
  })
  @Answer(SyncAnswer, 'What it came to.', SYNC_EXAMPLE)
  @AnswerNotFound('this host has no such revision', 'Name one that was in force here before.')
  pin(
    @Body() { revision }: RevisionRequest,
    @Query() _query: NoQuery,
    @Req() request: Request,
  ): Promise<SyncAnswer> {
    return orNotFound(this.control.pin(revision, actorOf(request)));
  }

  @Delete('pin')
  @RequiresRole('operate')
  @ApiOperation({ summary: 'Let the source have its say again' })
  @Answer(SyncAnswer, 'What the source has.', SYNC_EXAMPLE)
  unpin(@Query() _query: NoQuery, @Req() request: Request): Promise<SyncAnswer> {
    return this.control.unpin(actorOf(request));
  }
}

function actorOf(request: Request): string {
  return callerOf(request)?.actor ?? 'unknown';
}

async function orNotFound<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof SourceRefusal)) throw error;
    throw new ProblemError(404, error.message, { remedy: 'GET /v1/policies/status says what there is.' });
  }
}
