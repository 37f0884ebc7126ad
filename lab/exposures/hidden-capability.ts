import { attemptsOf, writesWithin, type LabExposure } from './exposure.js';

export default {
  row: 'hidden-capability',
  attempts: ({ layout }) =>
    layout.regions.flatMap(({ start, length, owner, write }) =>
      owner.kind === 'unassigned' && owner.hidden && write === 'raw'
        ? attemptsOf(writesWithin(start, length), `hidden ${owner.hidden.name}`)
        : [],
    ),
} satisfies LabExposure;
