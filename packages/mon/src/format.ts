import {
  createDump,
  createEcs,
  createJson,
  type EcsContext,
  type EndEvent,
  type LineWriter,
  type Quark,
  type QuarkEvent,
  type StartEvent,
} from 'quark-telemetry'
import type { Settings } from './settings.js'
import type { Terminal } from './terminal.js'
import { textFormatter } from './text.js'

/** Names and facts of the machine that an output may look up. */
export type Lookup = Pick<Quark, 'userName' | 'groupName' | 'host' | 'startEvent' | 'endEvent'>

/** Writes events as the settings want them. */
export interface Formatter {
  /** The text of one event, with its line end. */
  readonly format: (event: QuarkEvent) => string
  /** How many events were cut, as they were longer than the limit. */
  readonly truncatedLines: () => number
  /** What stands around the events, if that is anything. */
  readonly ends?: StreamEnds
}

/** Lines before and behind all events, with their line ends. */
export interface StreamEnds {
  /** Before the first event. */
  readonly start: string
  /** At the head of each further file. */
  readonly further: string
  /** Behind the last event. */
  readonly end: () => string
}

/** @param terminal that text goes to; undefined if it goes elsewhere */
export function formatter(
  settings: Settings,
  quark: Lookup,
  colour: boolean,
  terminal?: Terminal,
): Formatter {
  if (settings.quark.bypass === true) return { format: () => '*', truncatedLines: () => 0 }
  switch (settings.format) {
    case 'text':
      return textFormatter(settings, quark, colour, terminal)
    case 'dump': {
      const dumpOf = createDump(settings.lines)
      const options = { colour }
      return { format: (event) => `${dumpOf(event, options)}\n`, truncatedLines: () => dumpOf.truncatedLines }
    }
    case 'json': {
      return withEnds(createJson(settings.lines, quark), quark)
    }
    case 'ecs': {
      return withEnds(createEcs(ecsContext(quark), { ...settings.lines, ...settings.ecs }), quark)
    }
  }
}

/** What documents of ECS have of the machine. */
export function ecsContext(quark: Pick<Lookup, 'userName' | 'groupName' | 'host'>): EcsContext {
  return {
    host: quark.host,
    userName: (uid) => quark.userName(uid),
    groupName: (gid) => quark.groupName(gid),
  }
}

/** A stream of lines that says what it is of, and how it went. */
function withEnds(
  lineOf: LineWriter<QuarkEvent | StartEvent | EndEvent>,
  quark: Pick<Lookup, 'startEvent' | 'endEvent'>,
): Formatter {
  const start = quark.startEvent()
  return {
    format: (event) => `${lineOf(event)}\n`,
    truncatedLines: () => lineOf.truncatedLines,
    ends: {
      start: `${lineOf(start)}\n`,
      further: `${lineOf({ ...start, continued: true })}\n`,
      end: () => `${lineOf(quark.endEvent())}\n`,
    },
  }
}
