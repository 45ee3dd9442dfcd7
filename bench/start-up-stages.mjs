// Opens a queue and prints how long each stage took. Run by start-up.mjs, in a process of its own.
const bootedMs = Date.now()
let sinceMs = performance.now()

function lapMs() {
  const nowMs = performance.now()
  const ms = nowMs - sinceMs
  sinceMs = nowMs
  return ms
}

const { Quark } = await import('quark-telemetry')
const importMs = lapMs()
const quark = await Quark.open()
const openMs = lapMs()
await quark.close()
lapMs()
const again = await Quark.open()
const openAgainMs = lapMs()
await again.close()
console.log(JSON.stringify({ bootedMs, importMs, openMs, openAgainMs }))
