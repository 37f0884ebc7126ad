import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { RiskAssessment } from '../risk/risk-database.js';
import type { RiskEntry } from '../risk/risk-entry.js';
import { PageQuery, TextParameter } from './query-fields.js';

export class RisksQuery extends PageQuery {
  @TextParameter('Only what is said of a device: VENDOR:DEVICE[:SUBVENDOR:SUBDEVICE][:CLASS].', '10de:2330')
  id?: string;
}

export class RisksAnswer {
  @ApiProperty({ description: 'Revision of the risk database.' })
  revision!: string;

  @ApiProperty({
    type: 'array',
    items: { type: 'object' },
    description: 'By id; those about a device the most specific first.',
  })
  entries!: readonly RiskEntry[];

  @ApiPropertyOptional({ description: 'Give it as `cursor` to get what follows; absent on the last page.' })
  next?: string;

  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: true,
    description: 'With `id`: what holds of the device, after more specific entries have overridden others.',
  })
  assessment?: RiskAssessment;
}
