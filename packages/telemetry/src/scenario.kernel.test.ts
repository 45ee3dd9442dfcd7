import { test } from 'node:test'
import { Quark } from './quark.js'
import { runScenario } from './testing/scenario.js'

/** What is absent where a fact is missing that the capabilities name: under lockdown=confidentiality before Linux 6.2. */
const ABSENT: Readonly<Record<string, RegExp>> = {
  'exec.exe': /: (exe is undefined|exeDeleted is false)/,
  'exec.cwd': /: (cwd|root) is undefined/,
  'commChange.comm': /: comm is undefined/,
}

test('every process of the scenario appears once, with what is true of it', async (t) => {
  const absent: RegExp[] = []
  const { said, accepted, lostRecursion } = await runScenario(
    async (options) => {
      const quark = await Quark.open(options)
      absent.push(...quark.capabilities.missing.flatMap(({ fact }) => ABSENT[fact] ?? []))
      return quark
    },
    (complaint) => absent.some((pattern) => pattern.test(complaint)),
  )
  for (const line of said.split('\n').filter((line) => line !== '')) {
    t.diagnostic(line)
  }
  t.diagnostic(`facts that were not reported: ${accepted.length}, skipped by the kernel: ${lostRecursion}`)
})
