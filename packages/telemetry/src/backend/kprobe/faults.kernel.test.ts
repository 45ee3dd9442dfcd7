import { existsSync } from 'node:fs'
import { testFaults } from '../../testing/fault-tests.js'

testFaults(
  'kprobe',
  existsSync('/sys/kernel/tracing/kprobe_events') ? false : 'this kernel offers no kprobe events',
  1,
)
