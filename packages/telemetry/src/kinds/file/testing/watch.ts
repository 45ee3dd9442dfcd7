/** Makes situations with one sort of rungs, and gives what was seen of each. */

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { QuarkEvent } from '../../index.js'
import type { FileEvent } from '../events.js'
import { openWith, type RungName } from './rungs.js'
import { expectedOf, runAll, SITUATIONS } from './situations.js'

/** What was seen of a situation. */
export interface Seen {
  readonly name: string
  /** What the machine does not have: nothing was to be seen then. */
  readonly absent: string | undefined
  /** Its process has events; what is not followed has none. */
  readonly isFollowed: boolean
  readonly sentences: readonly string[]
  readonly expected: readonly string[] | undefined
  readonly events: readonly FileEvent[]
}

/** What a kernel does not have, or all situations. */
export type Run = { readonly absent: string } | { readonly lost: number; readonly seen: readonly Seen[] }

export function isFile(event: { readonly kind: string }): event is FileEvent {
  return event.kind === 'file'
}

function below(path: string | undefined, directory: string): string | undefined {
  return path?.startsWith(`${directory}/`) === true ? path.slice(directory.length + 1) : path
}

/** An event as a sentence: what happened to what, below a directory. */
export function sentence(event: FileEvent, directory: string, pid: number): string {
  const { actions, path, oldPath, target, writtenBytes, unverified, deleted } = event
  const isNew = actions.includes('link') && !unverified && oldPath?.startsWith('/proc/') === true
  return [
    `${actions.join('+')} ${below(path, directory)}`,
    oldPath === undefined || isNew ? '' : ` <- ${below(oldPath, directory)}`,
    target === undefined ? '' : ` -> ${target}`,
    writtenBytes === undefined ? '' : ` wrote ${writtenBytes}`,
    unverified ? ' unverified' : '',
    deleted ? ' deleted' : '',
    event.pid === pid ? '' : ' by child',
  ].join('')
}

/** @param root an empty directory */
export async function watchAll(rung: RungName, root: string): Promise<Run> {
  const names = Object.keys(SITUATIONS)
  const places = names.map((name, index) => {
    const directory = join(root, `s${index}`)
    mkdirSync(directory)
    return { name, directory, situation: SITUATIONS[name] as (typeof SITUATIONS)[string] }
  })
  await runAll(places.map(({ directory, situation }) => [directory, situation.before ?? '']))
  // Others on the machine make no difference: only what this process begins is watched.
  const where = { treeOf: process.pid }
  const quark = await openWith(rung, { files: [root], where, holdMs: 2000, ringSizeBytes: 2 ** 23 })
  if (typeof quark === 'string') return { absent: quark }
  const events: QuarkEvent[] = []
  const poll = setInterval(() => events.push(...(quark.poll() as readonly QuarkEvent[])), 20)
  const ran = await runAll(places.map(({ directory, situation }) => [directory, situation.code])).finally(
    () => clearInterval(poll),
  )
  events.push(...(quark.finish() as readonly QuarkEvent[]))
  await quark.close()
  const files = events.filter(isFile)
  const followed = new Set(events.map((event) => (event.kind === 'process' ? event.process.pid : 0)))
  const seen = places.map(({ name, directory, situation }, index): Seen => {
    const { pid, absent } = ran[index] ?? { pid: 0, absent: 'it was not run' }
    const ours = files.filter(
      (event) => event.path?.startsWith(`${directory}/`) === true || event.pid === pid,
    )
    // The number of a file that has no name.
    const all = ours.map((event) => sentence(event, directory, pid).replace(/ #\d+/, ' #N'))
    return {
      name,
      absent,
      isFollowed: followed.has(pid),
      sentences: situation.isAnyOrder === true ? all.toSorted() : all,
      expected: expectedOf(situation, rung),
      events: ours,
    }
  })
  return { lost: quark.stats().lost, seen }
}
