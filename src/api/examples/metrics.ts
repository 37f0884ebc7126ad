export const METRICS_EXAMPLE = [
  '# HELP vfio_warden_decisions_total Decisions made.',
  '# TYPE vfio_warden_decisions_total counter',
  'vfio_warden_decisions_total{surface="proxy",verdict="restricted"} 42',
  '',
].join('\n');
