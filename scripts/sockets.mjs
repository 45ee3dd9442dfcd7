// Makes every situation of sockets with each sort of rungs, and writes the table of docs/sockets-table.md.
//   node scripts/sockets.mjs [here | version…]
import { runSituations } from './situations.mjs'

runSituations({
  script: 'sockets.mjs',
  program: 'packages/telemetry/dist/kinds/socket/testing/table-run.js',
  rowsFile: 'docs/captures/sockets.ndjson',
  page: 'docs/sockets-table.md',
  rungs: { functions: 'fexit', kprobes: 'kprobes', cgroups: 'cgroups', states: 'tracepoints' },
  isEvent: (note) => note.includes(' by '),
})
