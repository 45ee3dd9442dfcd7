/**
 * Watches all files by one sort of rungs, as quark-mon does by the best ones, until SIGINT: RUNG. `which` writes which sorts
 * this kernel has.
 */
import { openWith, RUNGS } from '../packages/telemetry/dist/kinds/file/testing/rungs.js'

const wanted = process.argv.slice(2).find((argument) => !argument.startsWith('-'))
if (wanted === 'which') {
  const found = []
  for (const rung of Object.keys(RUNGS)) {
    const quark = await openWith(rung, { files: true })
    if (typeof quark === 'string') continue
    found.push(rung)
    await quark.close()
  }
  console.log(JSON.stringify(found))
} else {
  const quark = await openWith(wanted, { files: true })
  process.once('SIGINT', () => void quark.close())
  console.error('watching')
  let bytes = 0
  for await (const event of quark) bytes += String(event).length
  process.exitCode = bytes < 0 ? 1 : 0
}
