import { Controller, Get, Inject, Param, Query, Req, Res } from '@nestjs/common';
import { ApiExtraModels, ApiOkResponse, ApiOperation, ApiTags, getSchemaPath } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { DecisionService } from '../decision/decision.service.js';
import { LocatedError } from '../located-error.js';
import { parseBdf } from '../pci/bdf.js';
import { layoutOf } from '../pci/config-space/layout.js';
import { svgMap } from '../pci/config-space/svg-map.js';
import type { PciFunction } from '../pci/pci-function.js';
import { PciIds } from '../pci/pci-ids.js';
import type { Store } from '../store/store.js';
import { holdersByDevice, holdersOf, viewOfDevice } from './device-view.js';
import { ConfigSpaceView, DeviceDetail, DeviceList } from './devices.dto.js';
import {
  CONFIG_SPACE_EXAMPLE,
  DEVICE_DETAIL_EXAMPLE,
  DEVICE_LIST_EXAMPLE,
  SVG_EXAMPLE,
} from './examples/devices.js';
import { HOST_NAME } from './injection.js';
import { mediaTypeFor } from './media-type.js';
import { Answer, AnswerNotFound } from './openapi.js';
import { ProblemError } from './problem-details.js';
import { NoQuery } from './query-fields.js';
import { StoreQueries } from './store-queries.js';

const NOT_FOUND = ['there is no such function in the inventory', 'GET /v1/devices lists them.'] as const;

@ApiTags('devices')
@Controller('v1/devices')
export class DevicesController {
  constructor(
    private readonly decisions: DecisionService,
    private readonly names: PciIds,
    private readonly store: StoreQueries,
    @Inject(HOST_NAME) private readonly hostName: string,
  ) {}

  @Get()
  @ApiOperation({ summary: 'The PCI functions of this host, their known risks, and who has them' })
  @Answer(DeviceList, 'All of them.', DEVICE_LIST_EXAMPLE)
  async list(@Query() _query: NoQuery): Promise<DeviceList> {
    const { inventory, risks } = this.decisions.basis;
    const holders = await this.ifStoreIsThere((store) => holdersByDevice(store, this.hostName));
    return {
      revision: inventory.revision,
      items: inventory.functions.map((fn) => ({
        ...viewOfDevice(fn, this.names, risks),
        ...(holders && { heldBy: holders.get(fn.bdf) ?? [] }),
      })),
    };
  }

  @Get(':bdf')
  @ApiOperation({ summary: 'A PCI function of this host, and all that the risk database says of it' })
  @Answer(DeviceDetail, 'The function.', DEVICE_DETAIL_EXAMPLE)
  @AnswerNotFound(...NOT_FOUND)
  async show(@Param('bdf') address: string, @Query() _query: NoQuery): Promise<DeviceDetail> {
    const fn = this.find(address);
    const { risks } = this.decisions.basis;
    const heldBy = await this.ifStoreIsThere((store) => holdersOf(store, this.hostName, fn.bdf));
    return {
      ...viewOfDevice(fn, this.names, risks),
      ...(heldBy && { heldBy }),
      assessment: risks.assess(fn),
    };
  }

  @Get(':bdf/config-space')
  @ApiOperation({
    summary: "Who owns each byte of a function's config space, and what a guest's write reaches",
    description: 'As JSON, or with `Accept: image/svg+xml` as a picture.',
  })
  @ApiExtraModels(ConfigSpaceView)
  @ApiOkResponse({
    description: 'The layout as vfio sees it.',
    content: {
      'application/json': { schema: { $ref: getSchemaPath(ConfigSpaceView) }, example: CONFIG_SPACE_EXAMPLE },
      'image/svg+xml': { schema: { type: 'string' }, example: SVG_EXAMPLE },
    },
  })
  @AnswerNotFound('its config space was not read', 'Run the service as root.')
  configSpace(
    @Param('bdf') address: string,
    @Query() _query: NoQuery,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): ConfigSpaceView | string {
    const type = mediaTypeFor(request, response, ['application/json', 'image/svg+xml']);
    const { bdf, configSpace, configSize } = this.find(address);
    if (!configSpace) {
      throw new ProblemError(404, 'its config space was not read', {
        place: bdf,
        remedy: 'Look in the log for the reason; that of a device in use is left alone.',
      });
    }
    const layout = layoutOf(configSpace, configSize === undefined ? {} : { configSize });
    if (type === 'image/svg+xml') return svgMap(layout, { title: bdf });
    const { size, complete, capabilities, hidden, regions, anomalies } = layout;
    return { target: bdf, size, complete, capabilities, hidden, regions, anomalies };
  }

  private find(address: string): PciFunction {
    const bdf = parseBdf(address);
    if (!bdf) {
      const shown = address.slice(0, 40);
      throw new LocatedError('this is no address of a PCI function', shown, 'Write it as 0000:81:00.0.');
    }
    const fn = this.decisions.basis.inventory.get(bdf);
    if (!fn) throw new ProblemError(404, NOT_FOUND[0], { place: bdf, remedy: NOT_FOUND[1] });
    return fn;
  }

  /** The inventory is in memory: it can be shown without the store, which only knows who has a device. */
  private async ifStoreIsThere<T>(question: (store: Store) => Promise<T>): Promise<T | undefined> {
    try {
      return await this.store.ask(question);
    } catch (error) {
      if (error instanceof ProblemError && error.details.status === 503) return undefined;
      throw error;
    }
  }
}
