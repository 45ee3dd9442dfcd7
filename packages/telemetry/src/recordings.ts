/** Recordings of real runs that come with the package, for the tests of programs that take events. */

import { fileURLToPath } from 'node:url'

/** What each recording is of, and the kinds of events in it. */
const RECORDINGS = {
  /** A shell script: builds with make, programs that fail, are not there, change their user, and are killed. */
  processes: 'processes.quarkrec',
  /** A shell that creates, moves, links, changes and removes files, and reads one that is watched. */
  files: 'files.quarkrec',
  /** Names that dig and Node.js look up, over UDP and TCP, and connections to what they are. */
  names: 'names.quarkrec',
} as const

/**
 * A recording of a real run: of `processes` (events `process`), `files` (also `file` and `fileAccess`), or `names` (also
 * `dns` and `connection`).
 */
export type RecordingName = keyof typeof RECORDINGS

/**
 * The path of a recording that comes with this package. What is replayed of it is the same on every machine and with every
 * kernel, without rights.
 *
 * @example
 * ```js
 * await using quark = await Quark.replay(recordingPath('names'))
 * for await (const event of quark) if (event.kind === 'dns') console.log(event.toJSON())
 * ```
 *
 * @throws {RangeError} for a name that none has
 */
export function recordingPath(name: RecordingName): string {
  if (!Object.hasOwn(RECORDINGS, name)) {
    throw new RangeError(`No recording "${name}": there are ${Object.keys(RECORDINGS).join(', ')}`)
  }
  return fileURLToPath(new URL(`../data/recordings/${RECORDINGS[name]}`, import.meta.url))
}
