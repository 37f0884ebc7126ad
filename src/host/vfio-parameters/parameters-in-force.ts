import type { ParameterStatus } from './vfio-parameters.js';

/** Whether the parameters were seen keeping an access from a device. */
export interface ParametersVerified {
  state: 'seen' | 'not-seen';
  detail: string;
}

/** How the parameters of vfio-pci stand, as the service tells it. */
export type ParametersInForce = ParameterStatus & { verified: ParametersVerified };
