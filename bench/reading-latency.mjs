// Latencies from the end of a process to its event in a consumer, as JSON on standard output, in ms.
//   node bench/reading-latency.mjs <module of the library> <path of the program whose ends count> <how many>
import { pathToFileURL } from 'node:url'

const [library, marker, count] = process.argv.slice(2)
const { Quark } = await import(pathToFileURL(library).href)
const quark = await Quark.open()
const latencies = []
try {
  for await (const batch of quark.batches()) {
    const nowMs = performance.timeOrigin + performance.now()
    for (const event of batch) {
      if (event.process?.exe !== marker || event.process.exitTimeNs === undefined) continue
      latencies.push(nowMs - Number(event.process.exitTimeNs) / 1e6)
    }
    if (latencies.length >= Number(count)) break
  }
} finally {
  await quark.close()
}
process.stdout.write(JSON.stringify(latencies))
