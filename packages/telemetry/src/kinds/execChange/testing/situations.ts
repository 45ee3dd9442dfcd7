import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecChange } from '../../../process/exec-change.js'
import type { SituationsOf } from '../../../testing/situations.js'
import type { QuarkEvent } from '../../index.js'

const NATIVE = new URL('../../../testing/native.js', import.meta.url).href
const TIMEOUT = { timeout: 60_000 * Number(process.env['TEST_SLOW'] ?? 1) }

/** Each command executes what it is about with its own name as an argument. What the programs then do does not matter. */
const SESSION = String.raw`
exec 2> /dev/null
cp -L /bin/true copied; ./copied copied-1
mv copied moved; ./moved moved-1
ln moved linked; ./linked linked-1
tar cf a.tar moved; rm moved linked; tar xf a.tar; ./moved unpacked-1
printf '#!/bin/sh\nexit 0\n' > script; chmod +x script; ./script script-1
/bin/sh ./script given-1; /bin/sh -c '. ./script' code-1
/bin/true nothing-1
printf 'data' > data; cat data shown-1; /bin/sh -c 'cat data; exit 0' data-1
printf '#!/bin/sh\nexec cat data chain-1' > chain; chmod +x chain; ./chain chain-0
setsid cp -L /bin/true elsewhere; sleep 0.3; ./elsewhere tree-1
`
/** The parent of what executes it has ended: it descends from nobody that is known, and leads a session. */
const FOREIGN = "(setsid /bin/sh -c 'sleep 1; ./foreign foreign-1; : > done' > /dev/null 2>&1 &)"
const MEMFD = `
import { fexecve, memfd } from '${NATIVE}'
import { readFileSync } from 'node:fs'
fexecve(memfd('program', readFileSync('/bin/true')), { argv: ['true', 'memfd-1'], env: [] })`

/** What is to be seen: by the argument, what was done, and the file, the writer's name, and how they belong together. */
const CASES = {
  'copied-1': ['a program that was copied', 'program by cp, session'],
  'moved-1': ['it was renamed', 'program by cp, session'],
  'linked-1': ['it has another link', 'program by cp, session'],
  'unpacked-1': ['a program that tar(1) unpacked', 'program by tar, session'],
  'script-1': ['a script', 'script by sh, session'],
  'given-1': ['a script as an argument', 'script by sh, session'],
  'code-1': ['a script that code reads', undefined],
  'nothing-1': ['a program of the system', undefined],
  'data-1': ['a shell, and data that was written', undefined],
  'shown-1': ['data that was written, and a program that reads it', undefined],
  'chain-0': ['a script that is gone once it executes a program', 'script by sh, session'],
  'chain-1': ['what that reads', undefined],
  'tree-1': ['a program by a descendant in another session', 'program by cp, tree'],
} as const

const MORE = {
  'memfd-1': ['a memfd', 'program by node, session, memfd'],
  'foreign-1': ['a program by another session', undefined],
} as const

/** The sentences of the session, by the arguments. */
export const EXPECTED: Readonly<Record<string, string | undefined>> = Object.fromEntries(
  Object.entries(CASES).map(([argument, [, said]]) => [argument, said]),
)

/** Runs the commands of one session in a directory. */
export function runSession(cwd: string): void {
  spawnSync('/bin/sh', ['-c', SESSION], { cwd, stdio: 'ignore', ...TIMEOUT })
}

/** Executes a memfd, and has another session execute what this one wrote. */
export function runOthers(cwd: string): void {
  spawnSync(process.execPath, ['--input-type=module', '-e', MEMFD], TIMEOUT)
  const wait = 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do [ -e done ] && break; sleep 1; done'
  spawnSync('/bin/sh', ['-c', `cp -L /bin/true foreign; ${FOREIGN}; ${wait}`], { cwd, ...TIMEOUT })
}

export function sentence(change: ExecChange | undefined): string | undefined {
  return (
    change && `${change.file} by ${change.writerComm}, ${change.relation}${change.memfd ? ', memfd' : ''}`
  )
}

/** The execs with one of these last arguments. */
export function execsOf(
  events: readonly QuarkEvent[],
  among: readonly string[],
): Map<string, ExecChange | undefined> {
  const found = new Map<string, ExecChange | undefined>()
  for (const event of events) {
    if (event.kind !== 'process' || !event.actions.includes('exec')) continue
    const name = event.process.argv?.at(-1)
    if (name !== undefined && among.includes(name)) found.set(name, event.execChange)
  }
  return found
}

/** What a session wrote, and executes. */
export const situations: SituationsOf = {
  options: { execChanges: true, aggregation: 'default', holdMs: 2000 },
  run: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'quark-written-'))
    runSession(folder)
    runOthers(folder)
    rmSync(folder, { recursive: true })
    return { pid: process.pid }
  },
  observe: (_facts, events) => {
    const all = { ...CASES, ...MORE }
    return {
      situations: Object.entries(all).map(([argument, [name, said]]) => ({
        name,
        expected: said === undefined ? [{ argument }] : [{ argument, said }],
      })),
      seen: [...execsOf(events, Object.keys(all))].map(([argument, change]) => {
        const said = sentence(change)
        return said === undefined ? { argument } : { argument, said }
      }),
    }
  },
}
