import { problem } from '../problem-details.js';
import type { HealthAnswer } from '../health.dto.js';

const BASIS = {
  basis: {
    status: 'up',
    hostMode: 'enforce',
    policy: '8aa242a3551e3b02787d41dd65fd91ea018333bfc48c4f1ba8507c23a24384bc',
    risks: '661ce9f2f08cd0bb87b6abdf81efb8946fbbdcffaa3f652dd826d7d5c544e493',
    inventory: '7b61d43e6effc2a9282890b6b868937a0a0c4e64aa969ba429d86854e1c11dc6',
  },
};

export const HEALTH_EXAMPLE: HealthAnswer = { status: 'ok', info: BASIS, error: {}, details: BASIS };

const LIBVIRT = {
  libvirt: { status: 'up', critical: true, detail: 'connected to /run/libvirt/libvirt-sock' },
};
const STORE = { store: { status: 'degraded', critical: false, detail: 'away since 12:00: 3 entries wait' } };

export const READY_EXAMPLE: HealthAnswer = {
  status: 'degraded',
  info: { ...LIBVIRT, ...STORE },
  error: {},
  details: { ...LIBVIRT, ...STORE },
};

export const NOT_READY_EXAMPLE = problem(503, 'libvirt is down: connection refused', {
  components: { libvirt: { status: 'down', critical: true, detail: 'connection refused' }, ...STORE },
});
