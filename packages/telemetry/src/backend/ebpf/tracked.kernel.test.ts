import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import type { RecordSink } from 'quark-ebpf'
import { catalogue } from '../../kinds/index.js'
import { processFacts } from '../../kinds/process/facts.js'
import { checkOptions } from '../../options/check.js'
import { ManualClock } from '../../pipeline/clock.js'
import { execLayout, exitLayout, forkLayout } from '../../kinds/process/records.js'
import { Tracking } from '../../process/tracked/tracking.js'
import { Sources } from '../sources.js'
import { EbpfBackend } from './ebpf.js'

const LIMIT = { timeout: 60_000 }
const facts = processFacts({
  settings: checkOptions(catalogue.options, {}),
  hierarchy: undefined,
  isTracked: true,
})

function open(tracking: Tracking): EbpfBackend {
  return EbpfBackend.open({
    facts,
    sources: new Sources(new ManualClock()),
    ringSizeBytes: 1 << 20,
    tracking,
  })
}

/** Notes which records of which pids came. */
class Seen implements RecordSink {
  readonly types = new Map<number, number[]>()

  record(words: Uint32Array, _bytes: Buffer, offset: number): void {
    const type = (words[offset >> 2] as number) & 0xffff
    const layout = {
      [forkLayout.type]: forkLayout,
      [execLayout.type]: execLayout,
      [exitLayout.type]: exitLayout,
    }[type]
    if (layout === undefined) return
    const pid = words[(offset + layout.at['pid']!) >> 2] as number
    this.types.set(pid, [...(this.types.get(pid) ?? []), type])
  }
}

/** A shell that waits for a line before it does something. */
function blocked(script: string): ChildProcess & { readonly pid: number } {
  const shell = spawn('/bin/sh', ['-c', `read x; ${script}`], { stdio: ['pipe', 'ignore', 'ignore'] })
  return shell as ChildProcess & { readonly pid: number }
}

async function letGo(shell: ChildProcess): Promise<void> {
  const ended = once(shell, 'exit')
  shell.stdin?.end('\n')
  await ended
}

function drained(backend: EbpfBackend): Seen {
  const seen = new Seen()
  while (backend.drain(seen, 10_000) > 0);
  return seen
}

test('programs write records of a followed tree only, also of what outlives its parents', LIMIT, async () => {
  const followed = blocked('(/bin/sleep 0.2 & exit 0); (sh -c "sh -c /bin/true") ; /bin/true; exit 3')
  const stranger = blocked('/bin/true; /bin/true')
  const tracking = new Tracking({ treeOf: [followed.pid], excludePids: [] })
  using backend = open(tracking)
  assert.equal(tracking.isInKernel, true, tracking.problem)
  await Promise.all([letGo(followed), letGo(stranger)])
  await new Promise((resolve) => setTimeout(resolve, 400))
  const { types } = drained(backend)
  assert.equal(types.has(stranger.pid), false)
  assert.equal(types.get(followed.pid)?.join(), String(exitLayout.type))
  // At least the shell that ended at once, sleep which outlived it, and two more.
  const whole = [...types.values()].filter((of) => of[0] === forkLayout.type && of.at(-1) === exitLayout.type)
  assert.ok(whole.length >= 4, [...types.values()].join(' '))
})
