// Records two seconds of this machine, replays the file, and shows that both gave the same events. Run as root.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jsonOf, Quark } from 'quark-telemetry'

const folder = mkdtempSync(join(tmpdir(), 'quark-'))
const file = join(folder, 'machine.quark')

async function linesOf(quark) {
  const lines = []
  for await (const batch of quark.batches()) lines.push(...batch.map(jsonOf))
  await quark.close()
  return lines
}

try {
  const options = { snapshot: true, record: file, signal: AbortSignal.timeout(2_000) }
  const recording = await Quark.open(options)
  spawn('sh', ['-c', 'uname -a | wc -c'])
  const live = await linesOf(recording)

  // Needs no rights, and as much time as decoding takes.
  const replayed = await linesOf(await Quark.replay(file))
  const same = live.length === replayed.length && live.every((line, i) => line === replayed[i])
  console.log(`${live.length} events live, ${replayed.length} from ${statSync(file).size} bytes on disk`)
  console.log(same ? 'They are the same.' : 'They differ.')
  process.exitCode = same ? 0 : 1
} finally {
  rmSync(folder, { recursive: true })
}
