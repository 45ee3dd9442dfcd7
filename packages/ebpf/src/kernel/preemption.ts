/** Whether the running kernel preempts tasks inside of it, which decides what programs must be guarded from. */

import { readFileSync } from 'node:fs'
import { release, version } from 'node:os'
import { gunzipSync } from 'node:zlib'
import { openDetached } from '../sys/detached-mount.js'

/** File of debugfs that shows and sets the mode of a kernel with PREEMPT_DYNAMIC (kernel/sched/debug.c). */
const SETTING = 'sched/preempt'

let found: boolean | undefined

/**
 * Whether a task may be preempted while it runs in the kernel. A kernel with PREEMPT_DYNAMIC can be booted either way
 * (preempt=), and be set otherwise later through debugfs. True if neither can be read.
 */
export function kernelPreempts(): boolean {
  found ??= preempts(version(), () => readMode() ?? readBootMode())
  return found
}

/**
 * @param version what `uname -v` says: those of kernels that never preempt lack the word PREEMPT (init/Makefile)
 * @param mode what kernels with PREEMPT_DYNAMIC do: `none`, `voluntary`, `lazy` or `full`
 */
export function preempts(version: string, mode: () => string | undefined): boolean {
  if (!version.includes('PREEMPT')) return false
  if (!version.includes('PREEMPT_DYNAMIC')) return true
  const current = mode()
  return current !== 'none' && current !== 'voluntary'
}

/** debugfs need not be mounted; lockdown closes it. */
function readMode(): string | undefined {
  const text = attempt(() => readFileSync(`/sys/kernel/debug/${SETTING}`, 'latin1')) ?? attempt(readUnmounted)
  // All modes, the current one in parentheses.
  return /\((\w+)\)/.exec(text ?? '')?.[1]
}

function readUnmounted(): string {
  using root = openDetached('debugfs')
  return readFileSync(`/proc/self/fd/${root.number}/${SETTING}`, 'latin1')
}

/** The mode that the kernel began with, from its command line or from what it was built for. */
function readBootMode(): string | undefined {
  const line = attempt(() => readFileSync('/proc/cmdline', 'latin1')) ?? ''
  const config =
    attempt(() => gunzipSync(readFileSync('/proc/config.gz')).toString('latin1')) ??
    attempt(() => readFileSync(`/boot/config-${release()}`, 'latin1'))
  return bootMode(line, config)
}

/** @param config the text of the kernel's .config, where it is known */
export function bootMode(commandLine: string, config: string | undefined): string | undefined {
  const asked = /(?:^|\s)preempt=(\w+)/.exec(commandLine)?.[1]
  const built = /^CONFIG_PREEMPT_(NONE|VOLUNTARY|LAZY)=y$/m.exec(config ?? '')?.[1]?.toLowerCase()
  return asked ?? built
}

function attempt(read: () => string): string | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
