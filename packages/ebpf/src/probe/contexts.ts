/** How deeply the programs of a session can be nested. */

import type { Hook } from './hooks/hook.js'
import { type ContextLevel, hookType } from './hooks/index.js'
import type { Probe } from './probe.js'
import type { LevelSizes } from './scratch.js'

/**
 * Declares that a hook is only reached in task context. Programs of such hooks never interrupt each other, so a session
 * of them alone needs memory for one level. If the declaration is wrong, runs are counted as missed, but no record is
 * wrong.
 */
export function inTask<H extends Hook>(hook: H): H & { readonly levels: readonly ContextLevel[] } {
  return { ...hook, levels: ['task'] }
}

/**
 * Declares that calls from a function's own source file matter. Compilers inline the beginnings of functions into their callers there,
 * which then pass the function by: where `/proc/kallsyms` has such a part (`vfs_rmdir.part.0`), a session refuses the probe.
 */
export function notPartlyInlined<H extends Hook>(hook: H): H & { readonly rulesOutInlining: true } {
  return { ...hook, rulesOutInlining: true }
}

/** Whether a hook is only reached in a task, and its programs may ask which one that is. */
export function runsInTask(hook: Hook): boolean {
  const type = hookType(hook)
  const levels = hook.levels ?? type.levels
  return type.output === 'ring' && levels.length === 1 && levels[0] === 'task'
}

/** What a session must have room for: a level for each context that any of the probes runs in. */
export function levelsOf(probes: readonly Probe[]): LevelSizes {
  const found = new Set<ContextLevel>(['task'])
  let maxRecordBytes = 0
  let nestedRecordBytes = 0
  for (const { hook, maxSizeBytes } of probes) {
    const levels = hook.levels ?? hookType(hook).levels
    for (const level of levels) found.add(level)
    maxRecordBytes = Math.max(maxRecordBytes, maxSizeBytes)
    if (levels.some((level) => level !== 'task')) {
      nestedRecordBytes = Math.max(nestedRecordBytes, maxSizeBytes)
    }
  }
  return { levels: found.size, maxRecordBytes, nestedRecordBytes }
}
