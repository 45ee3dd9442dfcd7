/** What is used of dns-packet, which is loaded when there will be messages: that takes some ms of a start. */

import type { answer } from 'dns-packet'

interface Library {
  readonly answer: typeof answer
  readonly className: (code: number) => string
  readonly opcodeName: (code: number) => string
  readonly rcodeName: (code: number) => string
  readonly typeName: (code: number) => string
}

let loaded: Library | undefined

/** Messages can be decoded from then on. */
export async function loadLibrary(): Promise<void> {
  if (loaded !== undefined) return
  const [{ answer }, classes, opcodes, rcodes, types] = await Promise.all([
    import('dns-packet'),
    import('dns-packet/classes.js'),
    import('dns-packet/opcodes.js'),
    import('dns-packet/rcodes.js'),
    import('dns-packet/types.js'),
  ])
  loaded = {
    answer,
    className: classes.toString,
    opcodeName: opcodes.toString,
    rcodeName: rcodes.toString,
    typeName: types.toString,
  }
}

/** @throws {Error} before `loadLibrary`, which is a fault of this program */
export function library(): Library {
  if (loaded === undefined) throw new Error('The library of the DNS was not loaded')
  return loaded
}
