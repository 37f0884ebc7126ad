import { Controller, Get, Header, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { METRICS_CONTENT_TYPE, Metrics } from '../metrics/metrics.js';
import { METRICS_EXAMPLE } from './examples/metrics.js';
import { AnswerText } from './openapi.js';
import { NoQuery } from './query-fields.js';

@ApiTags('health')
@Controller('metrics')
export class MetricsController {
  constructor(private readonly metrics: Metrics) {}

  @Get()
  @Header('Content-Type', METRICS_CONTENT_TYPE)
  @ApiOperation({ summary: 'Metrics for Prometheus' })
  @AnswerText('text/plain', 'In the text format.', METRICS_EXAMPLE)
  scrape(@Query() _query: NoQuery): Promise<string> {
    return this.metrics.scrape();
  }
}
