// Makes the situations of terminals, ptrace(2), modules, memory and more with each sort of rungs, and writes the tables of
// docs/kinds-table.md.
//   node scripts/kinds.mjs [here | version…]
import { runSituations } from './situations.mjs'

runSituations({
  script: 'kinds.mjs',
  program: 'packages/telemetry/dist/kinds/testing/table-run.js',
  rowsFile: 'docs/captures/kinds.ndjson',
  page: 'docs/kinds-table.md',
  rungs: {
    functions: 'fexit',
    kprobes: 'kprobes',
    calls: 'system calls',
    audit: 'audit',
    procConnector: 'proc connector',
  },
  isEvent: (note) => note.startsWith('event '),
})
