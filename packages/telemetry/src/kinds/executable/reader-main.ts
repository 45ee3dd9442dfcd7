/** The process that reads executed files. */

import { read } from '../../process/reader/supervise.js'
import type { AskedFile, FileContent, ReaderLimits } from './asked.js'
import { Packages } from './packages.js'
import { readFile, rootOf } from './read-file.js'

const BURST_S = 1

read<ReaderLimits, AskedFile, FileContent>({
  url: import.meta.url,
  // A device that did not answer is not read from.
  keyOf: ({ device }) => device,
  noAnswerTo: ({ isKnown, script }) => ({
    ...(isKnown ? {} : { unread: 'noAnswer' }),
    ...(script === undefined ? {} : { script }),
  }),
  next: smallestOf,
  reader: (limits, advance) => {
    const pace = paceOf(limits.bytesPerSecond, advance)
    const packages = limits.packages ? new Packages(advance) : undefined
    return (asked) => ({
      ...(asked.isKnown ? {} : readFile(asked, limits.maxBytes, pace)),
      ...ownersOf(asked, packages),
    })
  },
})

/** Small files do not wait for large ones. */
function smallestOf(waiting: readonly AskedFile[]): number {
  let found = 0
  for (const [index, { sizeBytes }] of waiting.entries()) {
    if (sizeBytes < (waiting[found] as AskedFile).sizeBytes) found = index
  }
  return found
}

function ownersOf(asked: AskedFile, packages: Packages | undefined): FileContent {
  const root = packages === undefined ? undefined : rootOf(asked)
  if (packages === undefined || root === undefined)
    return asked.script === undefined ? {} : { script: asked.script }
  const { path, script, isKnown } = asked
  return {
    ...(path === undefined || isKnown ? {} : { package: packages.ownerOf(root, path) }),
    ...(script === undefined ? {} : { script, scriptPackage: packages.ownerOf(root, script) }),
  }
}

/** Waits as long as bytes have to: a second's worth may be read at once. */
function paceOf(bytesPerSecond: number, advance: () => void): (bytes: number) => void {
  const cell = new Int32Array(new SharedArrayBuffer(4))
  let left = bytesPerSecond * BURST_S
  let lastMs = performance.now()
  return (bytes) => {
    advance()
    const now = performance.now()
    left = Math.min(bytesPerSecond * BURST_S, left + ((now - lastMs) / 1000) * bytesPerSecond)
    lastMs = now
    left -= bytes
    if (left < 0) Atomics.wait(cell, 0, 0, (-left / bytesPerSecond) * 1000)
  }
}
