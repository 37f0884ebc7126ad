import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { PlacedExemption, PlacedRule } from '../policy/policy-set.js';
import type { DeviceDomainMatch, Scope } from '../policy/selectors.js';
import { EXPOSURE_NAMES, type Exposure } from '../risk/exposure.js';
import type { PolicyRule } from '../policy/policy-document.js';

class PlacedExemptionView implements PlacedExemption {
  @ApiProperty()
  name!: string;

  @ApiProperty({ description: 'Where it was loaded from.' })
  file!: string;

  @ApiProperty({ type: 'object', additionalProperties: true, description: 'Whom it is for.' })
  match!: DeviceDomainMatch;

  @ApiPropertyOptional({ type: 'object', additionalProperties: true, description: 'Where it holds.' })
  scope?: Scope;

  @ApiPropertyOptional({
    enum: EXPOSURE_NAMES,
    isArray: true,
    description: 'What may stay open; absent: everything.',
  })
  exposures?: Exposure[];

  @ApiProperty()
  reason!: string;

  @ApiProperty()
  owner!: string;

  @ApiProperty()
  ticket!: string;

  @ApiProperty({ description: 'It begins to hold then: a date, in UTC from its beginning, or a time.' })
  from!: string;

  @ApiProperty({ description: 'It holds no more from then on.' })
  expires!: string;
}

class PlacedRuleView implements PlacedRule {
  @ApiProperty({ description: 'Name of the policy document.' })
  policy!: string;

  @ApiProperty({ description: 'Where it was loaded from.' })
  file!: string;

  @ApiProperty({ type: 'object', additionalProperties: true, description: 'The rule as it is written.' })
  rule!: PolicyRule;

  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: true,
    description: 'Where its document holds; absent: everywhere.',
  })
  scope?: Scope;
}

export class PoliciesAnswer {
  @ApiProperty({ description: 'As decisions name it.' })
  revision!: string;

  @ApiProperty({ type: [PlacedRuleView], description: 'The first that matches a device decides about it.' })
  rules!: readonly PlacedRuleView[];

  @ApiPropertyOptional({ type: [PlacedExemptionView] })
  exemptions?: readonly PlacedExemptionView[];

  @ApiPropertyOptional({ description: 'The Git commit that it came from.' })
  commit?: string;

  @ApiPropertyOptional({ description: 'Whose signature of the commit was verified.' })
  signer?: string;
}
