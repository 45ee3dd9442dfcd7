import { testFaults } from '../../testing/fault-tests.js'

testFaults(
  'audit',
  process.env['KERNEL_TEST_FILE'] === undefined ? 'it changes the machine: only in guests' : false,
  1,
)
