import assert from 'node:assert/strict'
import test from 'node:test'
import { capabilitiesText, errorText, filterText, lossText, missingText, statsText } from './report.js'
import { statsOf } from './testing/fakes.js'

test('statsText() writes six right-aligned columns below a blank line', () => {
  const stats = statsOf({
    insertions: 11,
    removals: 10,
    aggregations: 3,
    nonAggregations: 4,
    lost: 5,
    garbageCollections: 6,
  })
  assert.equal(
    statsText(stats),
    '\n' +
      '    insertions      removals          aggs      non-aggs          lost       gc-cols\n' +
      '            11            10             3             4             5             6\n',
  )
})

test('filterText() says when no event passed the filters', () => {
  const filtered = statsOf({ filtered: 7 })
  assert.equal(filterText(filtered, {}), '')
  assert.equal(filterText(statsOf({ filtered: 7, matched: 1 }), { where: { failed: true } }), '')
  assert.equal(
    filterText(filtered, { where: { failed: true } }),
    'quark-mon: no event passed the filters: they left out 7\n',
  )
  assert.equal(filterText(statsOf(), { where: { treeOf: 1 } }), 'quark-mon: no event passed the filters\n')
})

test('lossText() has a line for each kind of loss that occurred, and what to do', () => {
  assert.equal(lossText(statsOf(), {}), '')
  const stats = statsOf({
    lostRingFull: { exec: 12, fork: 0, exit: 1 },
    lostRejected: 2,
    lostRecursion: 3,
    lostUnseen: 9,
    evicted: 4,
    evictedForBytes: 3,
    cutProcesses: 8,
    truncatedArgv: 5,
    truncatedEnv: 6,
    truncatedPaths: 7,
  })
  assert.equal(
    lossText(stats, { ringSizeBytes: 65_536 }),
    'quark-mon: lost 12 exec records to a full ring: raise --ring-size (now 64K)\n' +
      'quark-mon: lost 1 exit records to a full ring: raise --ring-size (now 64K)\n' +
      'quark-mon: 2 records could not be decoded: please report it, with a file made by --record\n' +
      'quark-mon: 3 records lost because the kernel skipped a program while one was running on that CPU: nothing can be done\n' +
      'quark-mon: 9 connections that the kernel counted were not seen: nothing can be done\n' +
      'quark-mon: 4 processes were forgotten too early: raise --max-processes\n' +
      'quark-mon: 3 of the processes that were forgotten too early made room for others: raise --max-table-bytes\n' +
      'quark-mon: 8 remembered processes had their strings cut: raise --max-table-bytes\n' +
      'quark-mon: 5 argument lists were cut: raise --max-argv\n' +
      'quark-mon: 6 environments were cut: raise --env\n' +
      'quark-mon: 7 paths were cut: they are longer than a record has room for\n',
  )
  assert.match(lossText(statsOf({ lostRingFull: { exec: 1 } }), {}), /now 4M/)
  assert.equal(
    lossText(statsOf({ lostRingFull: { udpFlow: 3, fileSeen: 1 } }), {}),
    'quark-mon: lost 3 udpFlow records to a full map: raise --max-flows\n' +
      'quark-mon: lost 1 fileSeen records to a full queue of fanotify: the kernel keeps no more of them\n',
  )
})

test('what can and cannot be learnt is one line each', () => {
  const capabilities = {
    backend: 'ebpf',
    kernel: '6.18.0',
    attached: [{ fact: 'exec', hook: 'tp_btf/sched_process_exec', flavor: 'direct' }],
    missing: [
      { fact: 'idChange', reason: 'kprobes are\ncompiled out' },
      { fact: 'other', reason: 'none' },
    ],
  }
  assert.equal(
    capabilitiesText(capabilities),
    'quark-mon: backend ebpf on kernel 6.18.0\nquark-mon: execs: tp_btf/sched_process_exec (direct)\n',
  )
  assert.equal(
    missingText(capabilities),
    'quark-mon: no id changes: kprobes are\n    compiled out\nquark-mon: no other: none\n',
  )
})

test('what is missing for one reason is one line', () => {
  const missing = [
    { fact: 'idChange', reason: 'kprobes are compiled out' },
    { fact: 'fileNames.other calls', reason: 'not seen by system calls' },
    { fact: 'killers', reason: 'kprobes are compiled out' },
    { fact: 'fileContent.other calls', reason: 'not seen by system calls' },
    { fact: 'fileContent.mmap', reason: 'not seen by system calls' },
  ]
  assert.equal(
    missingText({ backend: 'ebpf', kernel: '6.18.0', attached: [], missing }),
    'quark-mon: no id changes and senders of signals that end processes: kprobes are compiled out\n' +
      'quark-mon: files that are created, moved, linked and removed and files that are written to, but not all: not seen by system calls\n',
  )
})

test('errorText() names the causes, each once', () => {
  const root = new Error('bpf(2) failed with EPERM')
  const middle = new Error('Cannot load program "exec"', { cause: root })
  const top = new Error('Cannot watch processes: ebpf: Cannot load program "exec"', { cause: middle })
  assert.equal(
    errorText(top, false),
    'quark-mon: Cannot watch processes: ebpf: Cannot load program "exec"\n  because: bpf(2) failed with EPERM\n',
  )
  assert.match(errorText(root, true), /^quark-mon: bpf\(2\) failed with EPERM\n {4}at /)
  assert.equal(errorText('text', false), 'quark-mon: text\n')
})

test('errorText() lets no control character through', () => {
  assert.equal(errorText(new Error('no "\u001b[2J"\nlog'), false), 'quark-mon: no "\\x1b[2J"\n    log\n')
})

test('errorText() ends for an error that causes itself', () => {
  const error = new Error('round')
  error.cause = error
  assert.equal(errorText(error, false), 'quark-mon: round\n')
})
