import type { Command } from 'commander';
import type { DeviceDetail, DeviceView } from '../api/devices.dto.js';
import { print, printJson } from './output.js';
import { riskReport } from './risk-report.js';
import { addServiceOptions, serviceOf, type ServiceOptions } from './service-options.js';
import { table } from './table.js';

export function addDevicesCommand(program: Command): void {
  const command = program
    .command('devices')
    .description("list the host's PCI functions, their known risks, and the domains that have them")
    .argument('[bdf]', 'all that is known of one function');
  addServiceOptions(command).action(showDevices);
}

async function showDevices(bdf: string | undefined, options: ServiceOptions): Promise<void> {
  const service = await serviceOf(options);
  if (bdf !== undefined) {
    const device = await service.get<DeviceDetail>(`/v1/devices/${encodeURIComponent(bdf)}`);
    if (options.json) printJson(device);
    else print(`${riskReport(titleOf(device), device.assessment)}\n\nAssigned to: ${holders(device)}`);
    return;
  }
  const { items } = await service.get<{ items: DeviceView[] }>('/v1/devices');
  if (options.json) return printJson(items);
  if (items.length === 0) return print('no PCI functions');
  print(
    table(
      ['DEVICE', 'IDS', 'RISKS', 'ASSIGNED TO', 'NAME'],
      items.map((device) => [
        device.bdf,
        `${device.vendor}:${device.device}`,
        risks(device),
        holders(device),
        device.name ?? device.className ?? '',
      ]),
    ),
  );
}

function titleOf({ bdf, name, vendor, device, driver }: DeviceView): string {
  const title = [bdf, name, `[${vendor}:${device}]`].filter((part) => part !== undefined).join(' ');
  return driver === undefined ? title : `${title}, driver ${driver}`;
}

/** The worst known risk, and how many there are. */
function risks({ risks: known }: DeviceView): string {
  const [worst] = known;
  return worst ? `${worst.severity} ${worst.effect}${known.length > 1 ? ` +${known.length - 1}` : ''}` : '-';
}

function holders({ heldBy }: DeviceView): string {
  if (!heldBy) return 'unknown: the decision store is away';
  return heldBy.map(({ name, active }) => (active ? `${name} (running)` : name)).join(', ') || '-';
}
