import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsIn,
  IsOptional,
  IsString,
  Matches,
  MaxLength,
  ValidateNested,
} from 'class-validator';
import { OptionalListOf } from '../documents/optional-list.js';

const ID4 = /^[0-9a-f]{4}$/;
const MAX_SELECTORS = 256;

/** Selects assigned devices; all fields that are given must match. */
export class DeviceSelector {
  @IsOptional()
  @Matches(ID4, { message: '$property must be 4 lower-case hexadecimal digits in quotes, such as "10de"' })
  vendor?: string;

  @IsOptional()
  @Matches(ID4, { message: '$property must be 4 lower-case hexadecimal digits in quotes, such as "2330"' })
  device?: string;

  /** Prefix of the class code: base class, with sub-class, or with programming interface. */
  @IsOptional()
  @Matches(/^([0-9a-f]{2}){1,3}$/, {
    message: '$property must be 2, 4 or 6 lower-case hexadecimal digits in quotes, such as "0108"',
  })
  class?: string;

  @IsOptional()
  @IsIn(['pf', 'vf'])
  function?: 'pf' | 'vf';

  @IsOptional()
  @Matches(/^[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]$/, {
    message: '$property must be a full address such as 0000:65:00.0',
  })
  bdf?: string;
}

/** Selects by an element somewhere below a domain's `<metadata>`. */
export class MetadataSelector {
  /** Its XML namespace. */
  @IsString()
  @MaxLength(256)
  namespace!: string;

  /** Local names from the child of `<metadata>` down, such as `instance/owner/project`. */
  @Matches(/^[\w.-]+(\/[\w.-]+){0,7}$/, {
    message: '$property must be a path such as instance/owner/project',
  })
  element!: string;

  /** What is compared is this attribute; without it the element's text. */
  @IsOptional()
  @Matches(/^[\w.:-]{1,64}$/, { message: '$property must be the name of an attribute' })
  attribute?: string;

  /** `*` stands for any run of characters; absent: it is enough that the element, or attribute, is there. */
  @IsOptional()
  @IsString()
  @MaxLength(256)
  value?: string;
}

/** Selects domains; all fields that are given must match. In patterns `*` stands for any run of characters. */
export class DomainSelector {
  /** Pattern of libvirt's name. */
  @IsOptional()
  @IsString()
  @MaxLength(256)
  name?: string;

  @IsOptional()
  @Matches(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i, { message: '$property must be a UUID' })
  uuid?: string;

  /** Pattern of the OpenStack project's id or name, or of the Kubernetes namespace. */
  @IsOptional()
  @IsString()
  @MaxLength(256)
  project?: string;

  /** Pattern of the OpenStack flavor. */
  @IsOptional()
  @IsString()
  @MaxLength(256)
  flavor?: string;

  /** Pattern of the machine type as it is written, such as `pc-q35-*`. */
  @IsOptional()
  @IsString()
  @MaxLength(256)
  machine?: string;

  @IsOptional()
  @ValidateNested()
  @Type(() => MetadataSelector)
  metadata?: MetadataSelector;
}

/** Selects nodes; all fields that are given must match. */
export class HostSelector {
  /** Pattern of the node's name; `*` stands for any run of characters. */
  @IsOptional()
  @IsString()
  @MaxLength(256)
  name?: string;

  /** Labels that the node must have, all of them, each as `key=value`. */
  @IsOptional()
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(32)
  @Matches(/^[^=\s]{1,128}=[^=\s]{0,128}$/, { each: true, message: '$property must be a list of key=value' })
  labels?: string[];
}

/** What a rule or an exemption speaks of. */
export class DeviceDomainMatch {
  /** One of these must match; absent: every device. */
  @OptionalListOf(() => DeviceSelector, MAX_SELECTORS)
  devices?: DeviceSelector[];

  /** One of these must match; absent: every domain. */
  @OptionalListOf(() => DomainSelector, MAX_SELECTORS)
  domains?: DomainSelector[];
}

/** Where a policy, or an exemption, holds. */
export class Scope {
  /** One of these must match; absent: every node. */
  @OptionalListOf(() => HostSelector, MAX_SELECTORS)
  hosts?: HostSelector[];

  /** One of these must match; absent: every domain. */
  @OptionalListOf(() => DomainSelector, MAX_SELECTORS)
  domains?: DomainSelector[];
}
