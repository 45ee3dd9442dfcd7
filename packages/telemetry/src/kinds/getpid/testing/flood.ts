import type { Flood } from '../../../testing/flood.js'

export const flood: Flood = {
  options: { getpid: true },
  event: 'getpid',
  records: ['getpid'],
  steps: [['getpid']],
}
