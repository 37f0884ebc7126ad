import {
  applyDecorators,
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  HttpStatus,
  Inject,
  Post,
  Put,
  Query,
  Req,
  Res,
} from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { setTimeout as sleep } from 'node:timers/promises';
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
  UNDER_WAY_EXAMPLE,
} from './examples/policies.js';
import { POLICY_CONTROL } from './injection.js';
import { sliceOf } from './list-in-memory.js';
import { Answer, AnswerAccepted, AnswerNotFound } from './openapi.js';
import { PoliciesAnswer } from './policies.dto.js';
import type { PolicyControl } from './policy-control.js';
import {
  ExemptionsAnswer,
  PolicyStatusAnswer,
  RevisionRequest,
  SyncAnswer,
  UnderWayAnswer,
  WaitQuery,
} from './policy-control.dto.js';
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
  @AnswerInTime('What it came to.')
  sync(
    @Query() { wait }: WaitQuery,
    @Res({ passthrough: true }) response: Response,
  ): Promise<SyncAnswer | UnderWayAnswer> {
    return this.inTime(this.control.sync(), wait, response);
  }

  @Post('approve')
  @HttpCode(200)
  @RequiresRole('operate')
  @ApiOperation({
    summary: 'Let a revision that waits come into force, or accept a history that was refused',
    description: 'What was refused as `rolled-back` or `rewritten` is accepted by its commit.',
  })
  @AnswerInTime('What it came to.')
  @AnswerNotFound('no revision waits', 'GET /v1/policies/status says which one does.')
  approve(
    @Body() { revision }: RevisionRequest,
    @Query() { wait }: WaitQuery,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<SyncAnswer | UnderWayAnswer> {
    return this.inTime(this.control.approve(revision, actorOf(request)), wait, response);
  }

  @Put('pin')
  @RequiresRole('operate')
  @ApiOperation({
    summary: 'Put a revision in force that this host has, and keep it whatever the source says',
  })
  @AnswerInTime('What it came to.')
  @AnswerNotFound('no such revision', 'Name one that was in force here before.')
  pin(
    @Body() { revision }: RevisionRequest,
    @Query() { wait }: WaitQuery,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<SyncAnswer | UnderWayAnswer> {
    return this.inTime(this.control.pin(revision, actorOf(request)), wait, response);
  }

  @Delete('pin')
  @RequiresRole('operate')
  @ApiOperation({ summary: 'Let the source have its say again' })
  @AnswerInTime('What the source has.')
  unpin(
    @Query() { wait }: WaitQuery,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<SyncAnswer | UnderWayAnswer> {
    return this.inTime(this.control.unpin(actorOf(request)), wait, response);
  }

  /** What comes of it; after a while that it goes on, since nobody waits for ever at a connection. */
  private async inTime(
    work: Promise<SyncAnswer>,
    waitSeconds: number,
    response: Response,
  ): Promise<SyncAnswer | UnderWayAnswer> {
    const waiting = new AbortController();
    const late = sleep(waitSeconds * 1000, undefined, { signal: waiting.signal }).catch(() => undefined);
    try {
      const answer = await Promise.race([work, late]);
      if (answer) return answer;
    } catch (error) {
      if (!(error instanceof SourceRefusal)) throw error;
      throw new ProblemError(404, error.message, { remedy: 'GET /v1/policies/status says what there is.' });
    } finally {
      waiting.abort();
    }
    // What goes wrong from now on is told by the status and in the record.
    work.catch(() => undefined);
    const steps = this.control.status().underWay.map(({ step, since }) => `${step} since ${since}`);
    response.status(HttpStatus.ACCEPTED);
    return {
      result: 'under-way',
      detail: `${steps.join(', ') || 'not begun'}; GET /v1/policies/status says what comes of it`,
    };
  }
}

function AnswerInTime(description: string): MethodDecorator {
  return applyDecorators(
    Answer(SyncAnswer, description, SYNC_EXAMPLE),
    AnswerAccepted(UnderWayAnswer, 'It goes on.', UNDER_WAY_EXAMPLE),
  );
}

function actorOf(request: Request): string {
  return callerOf(request)?.actor ?? 'unknown';
}
