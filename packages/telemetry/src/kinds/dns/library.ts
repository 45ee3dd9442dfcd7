/** What is used of dns-packet, which is loaded when there are messages: that takes some ms of a start. */

import { createRequire } from 'node:module'
import type { answer } from 'dns-packet'

interface Library {
  readonly answer: typeof answer
  readonly className: (code: number) => string
  readonly opcodeName: (code: number) => string
  readonly rcodeName: (code: number) => string
  readonly typeName: (code: number) => string
}

type Names = (code: number) => string

let loaded: Library | undefined

/** Loads it when it is first called: a queue that will have messages does so before it is opened. */
export function library(): Library {
  return (loaded ??= load())
}

function load(): Library {
  const require = createRequire(import.meta.url)
  const namesIn = (file: string): Names => (require(`dns-packet/${file}.js`) as { toString: Names }).toString
  return {
    answer: (require('dns-packet') as { answer: typeof answer }).answer,
    className: namesIn('classes'),
    opcodeName: namesIn('opcodes'),
    rcodeName: namesIn('rcodes'),
    typeName: namesIn('types'),
  }
}
