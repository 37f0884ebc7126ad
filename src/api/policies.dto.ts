import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { PlacedRule } from '../policy/policy-set.js';
import type { Scope } from '../policy/selectors.js';
import type { PolicyRule } from '../policy/policy-document.js';

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

  @ApiPropertyOptional({ description: 'Give it as `cursor` to get what follows; absent on the last page.' })
  next?: string;

  @ApiPropertyOptional({ description: 'The Git commit that it came from.' })
  commit?: string;

  @ApiPropertyOptional({ description: 'Whose signature of the commit was verified.' })
  signer?: string;
}
