// Runs every example to its end; each must exit with 0 and print something.
import { spawnSync } from 'node:child_process'
import { globSync } from './glob.mjs'

let failed = 0
for (const file of globSync('examples', /\.mjs$/)) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [file], {
    encoding: 'utf8',
    timeout: 60_000,
  })
  const ok = status === 0 && stdout.trim() !== ''
  console.log(`${ok ? '✔' : '✖'} ${file}`)
  if (!ok) {
    failed += 1
    console.log(stdout + stderr)
  }
}
process.exitCode = failed === 0 ? 0 : 1
