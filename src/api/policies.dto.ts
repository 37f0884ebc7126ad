import { ApiProperty } from '@nestjs/swagger';
import type { PlacedRule } from '../policy/policy-evaluation.js';
import type { PolicyRule } from '../policy/policy-document.js';

class PlacedRuleView implements PlacedRule {
  @ApiProperty({ description: 'Name of the policy document.' })
  policy!: string;

  @ApiProperty({ description: 'Where it was loaded from.' })
  file!: string;

  @ApiProperty({ type: 'object', additionalProperties: true, description: 'The rule as it is written.' })
  rule!: PolicyRule;
}

export class PoliciesAnswer {
  @ApiProperty({ description: 'As decisions name it.' })
  revision!: string;

  @ApiProperty({ type: [PlacedRuleView], description: 'The first that matches a device decides about it.' })
  rules!: readonly PlacedRuleView[];
}
