import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsOptional, IsString, MaxLength } from 'class-validator';
import type { HostCapabilities } from '../host/host-capabilities.js';
import { MODES, type Mode } from '../policy/policy-terms.js';
import type { Component, ComponentStatus } from './components.js';

export class ModeView {
  @ApiProperty({ enum: MODES, description: "Lowers every rule's mode to at most this." })
  mode!: Mode;

  @ApiProperty({
    enum: ['file', 'configuration'],
    description:
      'Who says so: the file `mode` in the state directory, or the configuration where there is none.',
  })
  source!: 'file' | 'configuration';

  @ApiPropertyOptional({ description: 'Why the file does not count now.' })
  problem?: string;
}

export class ModeRequest {
  @ApiProperty({ enum: MODES, example: 'observe' })
  @IsIn(MODES)
  mode!: Mode;

  @ApiPropertyOptional({ description: 'Why, for the record.', maxLength: 500, example: 'ticket 4711' })
  @IsOptional()
  @IsString()
  @MaxLength(500)
  reason?: string;
}

class ComponentView implements Pick<Component, 'name' | 'critical'>, ComponentStatus {
  @ApiProperty()
  name!: string;

  @ApiProperty({ description: 'Whether a VM depends on it: then the service is not ready while it is down.' })
  critical!: boolean;

  @ApiProperty({ enum: ['up', 'down', 'degraded'] })
  state!: ComponentStatus['state'];

  @ApiProperty()
  detail!: string;
}

class AspectView {
  @ApiProperty({ enum: ['as-wanted', 'pending', 'differs', 'none', 'seen', 'not-seen'] })
  state!: string;

  @ApiProperty()
  detail!: string;
}

export class ParametersView {
  @ApiPropertyOptional({ description: 'The module that has them; absent where none was seen.' })
  module?: string;

  @ApiPropertyOptional({
    description: 'Ids of devices whose unassigned bytes policy closes on this host.',
    type: [String],
  })
  block?: string[];

  @ApiPropertyOptional({ description: 'Whether they are closed to reads, too, `block_pci_unassigned_read`.' })
  blockRead?: boolean;

  @ApiPropertyOptional({
    description: 'Ids of devices that must stay as they are, `uaccess_allow_ids`, and why.',
    type: 'array',
    items: { type: 'object', properties: { id: { type: 'string' }, reason: { type: 'string' } } },
  })
  allow?: { id: string; reason: string }[];

  @ApiProperty({ type: AspectView, description: 'In modprobe.d, for the next load of the module.' })
  configured!: AspectView;

  @ApiProperty({ type: AspectView, description: 'In the module that is loaded.' })
  live!: AspectView;

  @ApiProperty({
    type: AspectView,
    description: 'Whether an access was seen blocked since the service started.',
  })
  verified!: AspectView;
}

class VersionsView {
  @ApiProperty({ description: 'Of vfio-warden.' })
  service!: string;

  @ApiProperty({ description: 'Of Node.js.' })
  node!: string;

  @ApiProperty({ description: 'Of the kernel.' })
  kernel!: string;

  @ApiPropertyOptional({ description: 'As the emulator says it.' })
  qemu?: string;
}

class RevisionsView {
  @ApiProperty()
  policy!: string;

  @ApiProperty()
  risks!: string;

  @ApiProperty()
  inventory!: string;
}

export class HostAnswer {
  @ApiProperty()
  name!: string;

  @ApiProperty({ type: ModeView })
  mode!: ModeView;

  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    description:
      'What probes have found out: `ready`, `absent` or `unknown` for each mechanism, and by what.',
  })
  capabilities!: HostCapabilities;

  @ApiPropertyOptional({
    type: ParametersView,
    description: "The RFC's parameters of vfio-pci; absent before they were looked at.",
  })
  parameters?: ParametersView;

  @ApiProperty({ type: [ComponentView] })
  components!: ComponentView[];

  @ApiProperty({ type: VersionsView })
  versions!: VersionsView;

  @ApiProperty({ type: RevisionsView, description: 'What decisions are made of now.' })
  revisions!: RevisionsView;
}
