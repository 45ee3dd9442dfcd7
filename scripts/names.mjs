// Makes every situation of names with each sort of rungs, and writes the table of docs/names-table.md.
//   node scripts/names.mjs [here | version…]
import { runSituations } from './situations.mjs'

runSituations({
  script: 'names.mjs',
  program: 'packages/telemetry/dist/kinds/dns/testing/table-run.js',
  rowsFile: 'docs/captures/names.ndjson',
  page: 'docs/names-table.md',
  rungs: { packets: 'packets', queue: 'net_dev_queue' },
})
