/** A session of a terminal as asciinema plays it: asciicast v2, lines of JSON (docs.asciinema.org/manual/asciicast/v2). */

import type { QuarkEvent } from 'quark-telemetry'
import { shownInput, shownOutput } from './shown.js'
import { harmlessJson } from '../harmless-json.js'

/** Of a terminal that does not know its size. */
const COLUMNS = 80
const ROWS = 24

type TtyEvent = Extract<QuarkEvent, { kind: 'tty' }>

/** What a cast is made of. */
export type Write = Pick<
  TtyEvent,
  | 'timeNs'
  | 'origin'
  | 'columns'
  | 'rows'
  | 'text'
  | 'data'
  | 'missingBytes'
  | 'inputFlags'
  | 'outputFlags'
  | 'localFlags'
>

/** The lines of a cast, one after the other: a header with the first write, and events. */
export class Cast {
  readonly #title: string
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  #startNs: bigint | undefined = undefined
  #lastNs = 0n
  #size = ''

  constructor(title: string) {
    this.#title = title
  }

  /** The lines of a write. */
  add(write: Write): string {
    const { timeNs, columns = COLUMNS, rows = ROWS } = write
    const size = `${columns}x${rows}`
    let lines = ''
    if (this.#startNs === undefined) lines = this.#begin(timeNs, columns, rows)
    else if (size !== this.#size) lines = this.#event(timeNs, 'r', size)
    this.#size = size
    // A character may be in two writes.
    const text = this.#decoder.decode(shownOf(write), { stream: true })
    if (text !== '') lines += this.#event(timeNs, 'o', text)
    if (write.missingBytes > 0) lines += this.mark(timeNs, `${write.missingBytes} bytes are missing`)
    return lines
  }

  /** The line of a marker: where something is missing. Nothing before the first write. */
  mark(timeNs: bigint, text: string): string {
    return this.#startNs === undefined ? '' : this.#event(timeNs, 'm', text)
  }

  #begin(timeNs: bigint, width: number, height: number): string {
    this.#startNs = timeNs
    const timestamp = Number(timeNs / 1_000_000_000n)
    return `${json({ version: 2, width, height, timestamp, title: this.#title })}\n`
  }

  #event(timeNs: bigint, code: 'o' | 'r' | 'm', data: string): string {
    const afterNs = timeNs - (this.#startNs ?? timeNs)
    // Players need times that do not fall.
    if (afterNs > this.#lastNs) this.#lastNs = afterNs
    return `[${secondsText(this.#lastNs)}, "${code}", ${json(data)}]\n`
  }
}

function shownOf(write: Write): Uint8Array {
  const { origin, text = '', data = Buffer.from(text) } = write
  return origin === 'typed' ? shownInput(data, write) : shownOutput(data, write)
}

function secondsText(ns: bigint): string {
  const micros = ns / 1000n
  return `${micros / 1_000_000n}.${String(micros % 1_000_000n).padStart(6, '0')}`
}

function json(value: unknown): string {
  return harmlessJson(JSON.stringify(value))
}
