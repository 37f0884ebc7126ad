import { join } from 'node:path';
import type { Settings } from '../config/settings.js';
import { ParameterFiles } from '../host/vfio-parameters/parameter-files.js';

/** Where this host keeps the parameters of vfio-pci, and we what was there before us. */
export function parameterFiles({ hostRoot, sysfs, stateDirectory }: Settings): ParameterFiles {
  return new ParameterFiles({
    root: hostRoot,
    sysfs,
    memoryFile: join(stateDirectory, 'vfio-parameters.json'),
  });
}
