/** Text of a run: a line per event, and on a terminal headings over them. */

import { createText, type Quark, type QuarkEvent, textHeading } from 'quark-telemetry'
import type { Settings } from './settings.js'
import type { Terminal } from './terminal.js'
import { Tree } from './tree.js'

const NS_PER_SECOND = 1_000_000_000n

/**
 * Whether the settings hide an event: text is about what happens, and shows what was there before only when that is asked
 * for.
 */
export function isHidden({ kind }: QuarkEvent, { format, quark }: Settings): boolean {
  return (
    (kind === 'snapshot' || kind === 'socketSnapshot') &&
    format === 'text' &&
    quark.snapshot !== true &&
    quark.where?.event?.includes(kind) !== true
  )
}

/** @param terminal undefined if events go elsewhere */
export function textFormatter(
  settings: Settings,
  quark: Pick<Quark, 'userName'>,
  colour: boolean,
  terminal: Terminal | undefined,
): { readonly format: (event: QuarkEvent) => string; readonly truncatedLines: () => number } {
  const textOf = createText({ userName: (uid) => quark.userName(uid) }, settings.lines)
  const tree = settings.tree ? new Tree() : undefined
  const options = {
    colour,
    width: terminal?.columns(),
    ascii: terminal?.isAscii === true,
    // A file lasts longer than a day.
    date: settings.output !== undefined,
    depth: 0,
  }
  let heading = ''
  let headedWidth: number | undefined = undefined
  let headedNs = -1n

  /** The heading, if it is another one than that above: the first, of another day, of other columns. */
  const headingOf = ({ timeNs }: QuarkEvent): string => {
    const isSame = options.width === headedWidth && timeNs >= headedNs && timeNs < headedNs + NS_PER_SECOND
    if (isSame && headedNs >= 0n) return ''
    headedNs = timeNs
    headedWidth = options.width
    const before = heading
    heading = textHeading(timeNs, options)
    return heading === before ? '' : `${heading}\n`
  }

  return {
    format: (event) => {
      if (tree !== undefined) options.depth = tree.depthOf(event)
      if (terminal === undefined) return `${textOf(event, options)}\n`
      options.width = terminal.columns()
      return `${settings.quiet ? '' : headingOf(event)}${textOf(event, options)}\n`
    },
    truncatedLines: () => textOf.truncatedLines,
  }
}
