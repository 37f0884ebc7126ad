import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { PciFunction, PciFunctionKind } from '../pci/pci-function.js';
import { EXPOSURE_NAMES, type Exposure } from '../risk/exposure.js';
import type { RiskAssessment } from '../risk/risk-database.js';
import { SEVERITIES } from '../risk/risk-entry.js';

export class DeviceRisk {
  @ApiProperty({ enum: EXPOSURE_NAMES })
  exposure!: Exposure;

  @ApiProperty({ description: 'Id of the risk entry.' })
  entry!: string;

  @ApiProperty({ enum: SEVERITIES })
  severity!: string;

  @ApiProperty({ description: 'host-crash, device-crash, isolation.' })
  effect!: string;
}

export class DeviceHolder {
  @ApiProperty({ format: 'uuid' })
  uuid!: string;

  @ApiProperty()
  name!: string;

  @ApiProperty({ description: 'Whether it runs now.' })
  active!: boolean;
}

export class DeviceView implements Omit<PciFunction, 'bdf' | 'physicalFunction' | 'configSpace'> {
  @ApiProperty({ description: 'Address on the host.' })
  bdf!: string;

  @ApiProperty()
  vendor!: string;

  @ApiProperty()
  device!: string;

  @ApiPropertyOptional()
  subsystemVendor?: string;

  @ApiPropertyOptional()
  subsystemDevice?: string;

  @ApiProperty()
  revision!: string;

  @ApiProperty({ description: 'Base class, sub-class and programming interface: 6 hexadecimal digits.' })
  class!: string;

  @ApiPropertyOptional({ description: 'As pci.ids names the class.' })
  className?: string;

  @ApiPropertyOptional({ description: 'As pci.ids names vendor and device.' })
  name?: string;

  @ApiProperty({ enum: ['pf', 'vf'], description: 'Physical or virtual function.' })
  kind!: PciFunctionKind;

  @ApiPropertyOptional({ description: 'Of a virtual function: the function that it belongs to.' })
  physicalFunction?: string;

  @ApiPropertyOptional({ description: 'Kernel driver that was bound when the inventory was read.' })
  driver?: string;

  @ApiPropertyOptional()
  iommuGroup?: number;

  @ApiProperty({ type: [String] })
  resetMethods!: string[];

  @ApiPropertyOptional({
    description: 'Whether it has a PCI Express capability; absent where that is not known.',
  })
  express?: boolean;

  @ApiPropertyOptional({ description: 'Bytes of config space as the kernel sees it.' })
  configSize?: number;

  @ApiProperty({ description: 'Bytes of config space that were read; 0 where it could not be.' })
  configSpaceBytes!: number;

  @ApiProperty({ type: [DeviceRisk], description: 'What the risk database knows of it, the worst first.' })
  risks!: DeviceRisk[];

  @ApiPropertyOptional({
    type: [DeviceHolder],
    description: 'Domains that it is assigned to, running or not; absent while the decision store is away.',
  })
  heldBy?: DeviceHolder[];
}

export class DeviceList {
  @ApiProperty({ description: 'Revision of the inventory.' })
  revision!: string;

  @ApiProperty({ type: [DeviceView], description: 'In the order of their addresses.' })
  items!: DeviceView[];
}

export class DeviceDetail extends DeviceView {
  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    description:
      'All that the risk database says: risks, needs of drivers, mirrors, notices, what is overridden.',
  })
  assessment!: RiskAssessment;
}

/** The layout of a config space, as `wardenctl config-space --json` prints it. */
export class ConfigSpaceView {
  @ApiProperty({ description: 'Address of the function.' })
  target!: string;

  @ApiProperty({ description: 'Bytes from 0 of which the owner is known.' })
  size!: number;

  @ApiProperty({ description: 'Whether all of config space is known.' })
  complete!: boolean;

  @ApiProperty({ type: 'array', items: { type: 'object' }, description: 'Shown to a guest.' })
  capabilities!: readonly object[];

  @ApiProperty({ type: 'array', items: { type: 'object' }, description: 'In the chains, but not shown.' })
  hidden!: readonly object[];

  @ApiProperty({
    type: 'array',
    items: { type: 'object' },
    description: "Runs of bytes with one owner, and how far a guest's write reaches.",
  })
  regions!: readonly object[];

  @ApiProperty({ type: 'array', items: { type: 'object' } })
  anomalies!: readonly object[];
}
