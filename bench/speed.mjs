/** How fast the machine is at the moment: virtual machines get slower when their neighbours work. */
import { median } from './measure.mjs'

const STEPS = 1e6
const CALLS = 50
const LOADS = 1 << 20
/** More than the caches hold. */
const WORDS = 1 << 24
const ROUNDS = 3

/** A cycle through all words in an order that nothing can foresee. */
function makeChain() {
  const chain = new Int32Array(WORDS)
  for (let i = 0; i < WORDS; i++) chain[i] = i
  // Sattolo's algorithm, with a generator that gives the same every time.
  let state = 1
  for (let i = WORDS - 1; i > 0; i--) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    const j = Math.floor((state / 2 ** 32) * i)
    const kept = chain[i]
    chain[i] = chain[j]
    chain[j] = kept
  }
  return chain
}

let sink = 0

/** Short, so that the engine compiles it as it compiles what is called often. */
function steps(from) {
  let value = from
  for (let i = 0; i < STEPS; i++) value = (Math.imul(value, 31) + i) | 0
  return value
}

function stepNs() {
  const startedMs = performance.now()
  for (let call = 0; call < CALLS; call++) sink = steps(sink)
  return ((performance.now() - startedMs) * 1e6) / (STEPS * CALLS)
}

function loadNs(chain) {
  const startedMs = performance.now()
  let at = sink & (WORDS - 1)
  for (let i = 0; i < LOADS; i++) at = chain[at]
  sink = at
  return ((performance.now() - startedMs) * 1e6) / LOADS
}

/** ns of a multiplication and addition, and of a load from memory, each waiting for the one before it. */
export function measureSpeed() {
  const chain = makeChain()
  const rounds = Array.from({ length: ROUNDS }, () => [stepNs(), loadNs(chain)])
  return { stepNs: median(rounds.map(([step]) => step)), loadNs: median(rounds.map(([, load]) => load)) }
}
