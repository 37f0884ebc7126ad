import { Controller, Get, Inject, Param, Query, Req, Res } from '@nestjs/common';
import { ApiExtraModels, ApiOkResponse, ApiOperation, ApiTags, getSchemaPath } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { namerOf } from '../decision/explanation.js';
import { PciIds } from '../pci/pci-ids.js';
import type { DomainRecord } from '../store/records.js';
import type { Page, Store } from '../store/store.js';
import { explainDomain } from './domain-explanation.js';
import { DomainExplanation, DomainKeyQuery, DomainPage, DomainsQuery, DomainView } from './domains.dto.js';
import { DOMAIN_EXAMPLE, DOMAIN_EXPLANATION_EXAMPLE, DOMAIN_PAGE_EXAMPLE } from './examples/domains.js';
import { HOST_NAME } from './injection.js';
import { mediaTypeFor } from './media-type.js';
import { Answer, AnswerNotFound } from './openapi.js';
import { ProblemError } from './problem-details.js';
import { StoreQueries } from './store-queries.js';

const MAX_EVENTS = 50;

const NOT_FOUND = ['there is no such domain', 'GET /v1/domains lists those that are known.'] as const;

@ApiTags('domains')
@Controller('v1/domains')
export class DomainsController {
  constructor(
    private readonly store: StoreQueries,
    private readonly names: PciIds,
    @Inject(HOST_NAME) private readonly hostName: string,
  ) {}

  @Get()
  @ApiOperation({ summary: 'Domains, and whether they have what policy asks for' })
  @Answer(DomainPage, 'One page.', DOMAIN_PAGE_EXAMPLE)
  list(@Query() { gone, ...query }: DomainsQuery): Promise<Page<DomainRecord>> {
    return this.store.ask((store) => store.domains(gone ? query : { ...query, present: true }));
  }

  @Get(':key')
  @ApiOperation({ summary: 'A domain by UUID, libvirt name or instance name' })
  @Answer(DomainView, 'The domain.', DOMAIN_EXAMPLE)
  @AnswerNotFound(...NOT_FOUND)
  show(@Param('key') key: string, @Query() query: DomainKeyQuery): Promise<DomainRecord> {
    return this.store.ask((store) => this.find(store, key, query));
  }

  @Get(':key/explanation')
  @ApiOperation({
    summary: 'Why a domain has its restrictions, and what happened to it',
    description: 'As JSON, or with `Accept: text/plain` in words for a terminal.',
  })
  @ApiExtraModels(DomainExplanation)
  @ApiOkResponse({
    description: 'The explanation.',
    content: {
      'application/json': {
        schema: { $ref: getSchemaPath(DomainExplanation) },
        example: DOMAIN_EXPLANATION_EXAMPLE,
      },
      'text/plain': { schema: { type: 'string' }, example: DOMAIN_EXPLANATION_EXAMPLE.explanation },
    },
  })
  @AnswerNotFound(...NOT_FOUND)
  async explain(
    @Param('key') key: string,
    @Query() query: DomainKeyQuery,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<DomainExplanation | string> {
    const type = mediaTypeFor(request, response, ['application/json', 'text/plain']);
    const found = await this.store.ask(async (store) => {
      const domain = await this.find(store, key, query);
      const { uuid, host, decisionId } = domain;
      const [record, events] = await Promise.all([
        decisionId === undefined ? undefined : store.decision(decisionId),
        store.events({ domain: uuid, host, limit: MAX_EVENTS }),
      ]);
      return { domain, record, events: events.items };
    });
    const explanation = explainDomain(found, namerOf(this.names));
    return type === 'text/plain' ? explanation : { ...found, explanation };
  }

  private async find(
    store: Store,
    key: string,
    { host = this.hostName }: DomainKeyQuery,
  ): Promise<DomainRecord> {
    const domain = await store.domain(host, key);
    if (domain) return domain;
    throw new ProblemError(404, `${NOT_FOUND[0]} on ${host}`, { place: key, remedy: NOT_FOUND[1] });
  }
}
