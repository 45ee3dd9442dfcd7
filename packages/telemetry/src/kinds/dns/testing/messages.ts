/** Messages of the DNS, written without what reads them. */

import { words } from '../../../names/testing/packets.js'

/** Bytes of a name: each label behind its length, and the end. */
export function wireName(...labels: readonly string[]): Buffer {
  return Buffer.concat([
    ...labels.flatMap((label) => [Buffer.from([label.length]), Buffer.from(label, 'latin1')]),
    Buffer.from([0]),
  ])
}

/** Bits of the header. */
export const ANSWER_FLAGS = 0x8180
export const QUERY_FLAGS = 0x0100
/** A pointer to the name of the question. */
export const QUESTION_NAME = words(0xc00c)

interface Wire {
  readonly id?: number
  readonly flags?: number
  /** As they are; the header has their numbers unless others are given. */
  readonly questions?: readonly Buffer[]
  readonly answers?: readonly Buffer[]
  readonly additionals?: readonly Buffer[]
  readonly counts?: readonly [number, number, number, number]
}

export function wireMessage({
  id = 0x1234,
  flags = QUERY_FLAGS,
  questions = [question()],
  answers = [],
  additionals = [],
  counts = [questions.length, answers.length, 0, additionals.length],
}: Wire = {}): Buffer {
  return Buffer.concat([words(id, flags, ...counts), ...questions, ...answers, ...additionals])
}

export function question(name = wireName('www', 'Example', 'org'), type = 1): Buffer {
  return Buffer.concat([name, words(type, 1)])
}

/** A record whose owner is what is asked for. */
export function wireRecord(type: number, data: Buffer, ttlS = 60, owner = QUESTION_NAME): Buffer {
  return Buffer.concat([owner, words(type, 1, ttlS >>> 16, ttlS, data.length), data])
}
