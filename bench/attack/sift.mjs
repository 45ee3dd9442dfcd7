/**
 * Passes on what quark-mon writes of other users than nobody, and drops the flood, of which there may be
 * gigabytes.
 *   node bench/attack/sift.mjs dump|json|ecs
 */
import { writeSync } from 'node:fs'

/** Longer lines can only be the flood's. */
const MAX_LINE_BYTES = 64 * 1024
const NEWLINE = 0x0a
const FLOOD = { dump: 'uid=65534 ', json: '"uid":65534,', ecs: '"user":{"id":"65534"' }
const STDOUT = 1

const format = process.argv[2]
const flood = Buffer.from(FLOOD[format])
const isStart = (line) => format !== 'dump' || (line[0] === 0x2d && line[1] === 0x3e)

/** The lines of one event. */
let event = []
let parts = []
let partsBytes = 0

function emit() {
  if (event.length > 0 && !event.some((line) => line.includes(flood))) {
    for (const line of event) writeSync(STDOUT, line)
  }
  event = []
}

function add(line) {
  if (isStart(line)) emit()
  event.push(line)
}

for await (const chunk of process.stdin) {
  let start = 0
  for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
    const rest = chunk.subarray(start, end + 1)
    partsBytes += rest.length
    if (partsBytes <= MAX_LINE_BYTES) add(parts.length === 0 ? rest : Buffer.concat([...parts, rest]))
    parts = []
    partsBytes = 0
    start = end + 1
  }
  const rest = chunk.subarray(start)
  partsBytes += rest.length
  if (partsBytes <= MAX_LINE_BYTES) parts.push(rest)
  else parts = []
}
emit()
