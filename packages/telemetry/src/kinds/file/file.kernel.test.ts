import assert from 'node:assert/strict'
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { kernelAtLeast } from 'quark-ebpf'
import { Quark } from '../../quark.js'
import { factsOf, RUNGS, type RungName } from './testing/rungs.js'
import { hasPython } from './testing/situations.js'
import { isFile, type Seen, watchAll } from './testing/watch.js'

/** fanotify names files and directories since 5.17. */
const hasNotices = kernelAtLeast('5.17')

function watchIn(t: TestContext, rung: RungName): ReturnType<typeof watchAll> {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'quark-files-')))
  t.after(() => rmSync(root, { recursive: true }))
  return watchAll(rung, root)
}

/** Whether no more is missing than so many lost records explain: if the fork was one of them, nothing of the process is seen. */
function isLessBy(lost: number, { isFollowed, sentences }: Seen, expected: readonly string[]): boolean {
  if (lost > 0 && !isFollowed) return true
  const missing = expected.filter((sentence) => !sentences.includes(sentence)).length
  return missing > 0 && missing <= lost && sentences.length <= expected.length
}

for (const rung of Object.keys(RUNGS) as RungName[]) {
  test(
    `each situation is seen as it is, by ${rung}: ${factsOf(rung).join(', ')}`,
    { timeout: 480_000, skip: !hasPython && 'there is no Python' },
    async (t) => {
      // Where programs can be preempted (Linux 6.19) the kernel may skip some, which is reported: then what is missing proves nothing.
      let run = await watchIn(t, rung)
      for (let tries = 1; 'lost' in run && run.lost > 0 && kernelAtLeast('6.19') && tries < 5; tries++) {
        t.diagnostic(`try ${tries}: ${run.lost} lost`)
        run = await watchIn(t, rung)
      }
      if ('absent' in run) {
        if (rung === 'both' || rung === 'notices') assert.ok(!hasNotices, run.absent)
        assert.notEqual(rung, 'calls')
        return t.skip(run.absent)
      }
      const { lost } = run
      // Since Linux 6.7 it is counted what kretprobes miss of crowds.
      const mayLose = kernelAtLeast('6.19') || (rung === 'kprobes' && kernelAtLeast('6.7'))
      assert.ok(lost === 0 || mayLose, `${lost} records were lost`)
      for (const seen of run.seen) {
        const { name, absent, sentences, expected, events } = seen
        await t.test(name, (t) => {
          if (absent !== undefined) return t.diagnostic(`${name}: this kernel has no ${absent}`)
          if (expected === undefined) t.diagnostic(`${name}: ${sentences.join('; ').slice(0, 500)}`)
          else if (lost > 0 && isLessBy(lost, seen, expected)) {
            return t.skip(
              `${lost} records of the run are declared as lost, as tasks were preempted inside programs`,
            )
          } else assert.deepEqual(sentences, expected, `${lost} records are lost: ${sentences.join('; ')}`)
          for (const { unverified, path, process } of events) {
            assert.ok(unverified || path !== undefined || expected === undefined)
            assert.equal(process?.comm, 'python3')
          }
        })
      }
    },
  )
}

test('what quark itself writes is no event', { timeout: 60_000 }, async (t) => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'quark-files-')))
  t.after(() => rmSync(root, { recursive: true }))
  const quark = await Quark.open({ files: [root], record: join(root, 'recording') })
  const { writeFileSync } = await import('node:fs')
  for (let i = 0; i < 10; i++) writeFileSync(join(root, `f${i}`), 'x')
  const events = quark.finish().filter(isFile)
  await quark.close()
  assert.deepEqual(events, [])
})
