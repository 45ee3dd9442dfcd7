/** Runs a command for tests, and gives the events of files of it. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { Quark } from '../../../quark.js'
import type { QuarkOptions } from '../../index.js'
import type { FileEvent } from '../events.js'

export interface Watched {
  readonly events: readonly FileEvent[]
  /** All events, in their order. */
  readonly all: readonly { readonly kind: string }[]
  /** Closed. */
  readonly quark: Quark
}

/**
 * @param root what is watched
 * @param command for a shell; rejects if it fails
 */
export async function runWatched(
  root: string,
  command: string,
  options: QuarkOptions = {},
): Promise<Watched> {
  const where = { treeOf: process.pid }
  const quark = await Quark.open({ files: [root], backends: ['ebpf'], where, holdMs: 2000, ...options })
  const all: { readonly kind: string }[] = []
  const poll = setInterval(() => all.push(...quark.poll()), 20)
  try {
    const child = spawn('sh', ['-ec', command], { stdio: ['ignore', 'ignore', 'inherit'] })
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
    if (code !== 0) throw new Error(`${command} ended with ${code ?? signal}`)
  } finally {
    clearInterval(poll)
  }
  all.push(...quark.finish())
  await quark.close()
  return { events: all.filter((event): event is FileEvent => event.kind === 'file'), all, quark }
}
