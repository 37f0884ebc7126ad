import { Type } from 'class-transformer';
import {
  ArrayMinSize,
  ArrayUnique,
  Equals,
  IsArray,
  IsIn,
  IsOptional,
  Length,
  ValidateNested,
} from 'class-validator';
import { EXPOSURE_NAMES, type Exposure } from '../risk/exposure.js';
import { IsDocumentTime } from './document-time.js';
import { DocumentMetadata, POLICY_API_VERSION } from './policy-document.js';
import { DeviceDomainMatch, Scope } from './selectors.js';

/** Leaves what policy requires closed open for some devices or domains, for a time, by somebody's word. */
export class ExemptionSpec {
  /** Must select devices or domains. */
  @ValidateNested()
  @Type(() => DeviceDomainMatch)
  match!: DeviceDomainMatch;

  /** Where it holds; absent: on every host. */
  @IsOptional()
  @ValidateNested()
  @Type(() => Scope)
  scope?: Scope;

  /** What may stay open; absent: everything. */
  @IsOptional()
  @IsArray()
  @ArrayMinSize(1)
  @ArrayUnique()
  @IsIn(EXPOSURE_NAMES, { each: true })
  exposures?: Exposure[];

  @Length(1, 1000)
  reason!: string;

  /** Who answers for it. */
  @Length(1, 200)
  owner!: string;

  @Length(1, 200)
  ticket!: string;

  /** It begins to hold then. */
  @IsDocumentTime()
  from!: string;

  /** It holds no more from then on. */
  @IsDocumentTime()
  expires!: string;
}

export class ExemptionDocument {
  @Equals(POLICY_API_VERSION, { message: `$property must be ${POLICY_API_VERSION}` })
  apiVersion!: string;

  @Equals('Exemption', { message: '$property must be Exemption' })
  kind!: string;

  @ValidateNested()
  @Type(() => DocumentMetadata)
  metadata!: DocumentMetadata;

  @ValidateNested()
  @Type(() => ExemptionSpec)
  spec!: ExemptionSpec;
}
