// Makes every situation of files with each sort of rungs, and writes the table of docs/files-table.md.
//   node scripts/files.mjs [here | version…]
import { runSituations } from './situations.mjs'

runSituations({
  script: 'files.mjs',
  program: 'packages/telemetry/dist/kinds/file/testing/table-run.js',
  rowsFile: 'docs/captures/files.ndjson',
  page: 'docs/files-table.md',
  rungs: {
    functions: 'functions',
    kprobes: 'kprobes',
    both: 'system calls and fanotify',
    calls: 'system calls',
    notices: 'fanotify',
  },
  isEvent: (note) => note.startsWith('event: '),
})
