import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { ArrayMaxSize, IsArray, IsIn, IsOptional, IsString, MaxLength } from 'class-validator';
import { DOMAIN_STATES, type DomainState } from '../decision/decision.js';
import { MAX_DOCUMENT_BYTES } from '../domain-xml/xml-reader.js';

export class EvaluateRequest {
  @ApiProperty({
    description: 'A libvirt <domain> document, at most 4 MiB.',
    example: "<domain type='kvm'><name>vm</name>...</domain>",
  })
  @IsString()
  @MaxLength(MAX_DOCUMENT_BYTES)
  xml!: string;

  @ApiPropertyOptional({
    enum: DOMAIN_STATES,
    default: 'unknown',
    description:
      'Whether the domain has run: the guest hardware of one that has is changed only where policy says so.',
  })
  @IsOptional()
  @IsIn(DOMAIN_STATES)
  domainState: DomainState = 'unknown';

  @ApiPropertyOptional({
    type: [String],
    default: [],
    description: 'Libvirt networks that hand out host functions (<forward mode="hostdev">).',
  })
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(1024)
  @IsString({ each: true })
  @MaxLength(256, { each: true })
  hostdevNetworks: string[] = [];
}

export class EvaluateResponse {
  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    description: 'The decision: inputs, findings, plan, rejected alternatives, residual exposure, verdict.',
  })
  decision!: object;

  @ApiProperty({
    description: 'The document to use instead; the very same text where nothing is to be changed.',
  })
  xml!: string;

  @ApiProperty({ description: 'The decision in words.' })
  explanation!: string;
}
