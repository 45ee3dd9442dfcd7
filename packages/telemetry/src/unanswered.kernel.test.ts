/** File systems in user space, as any user can mount: when they do not answer, nothing of quark waits for them. */

import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const SERVER = fileURLToPath(new URL('testing/fuse-server.js', import.meta.url))
const BUSYBOX = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path))
/** What waits for the file system waits for ever. */
const LIMIT_MS = 30_000

/** A run in a process of its own: one that waits can only be killed. Prints how many processes there were before. */
const RUN = `
  const { Quark } = await import(process.argv[1])
  const quark = await Quark.open({ holdMs: 20, batchMs: 0, ...JSON.parse(process.argv[2]) })
  let seen = 0
  for (let looks = 0; looks < 20; looks++) {
    await quark.wait(50)
    for (const event of quark.poll()) if (event.kind === 'snapshot') seen++
  }
  await quark.close()
  console.log(seen)
`
const LIBRARY = new URL('index.js', import.meta.url).href

const folder = mkdtempSync(join(tmpdir(), 'quark-unanswered-'))
const mounted = join(folder, 'mounted')
mkdirSync(mounted)
const children: number[] = []

after(() => {
  for (const pid of children) process.kill(pid, 'SIGKILL')
  spawnSync('umount', ['-l', mounted])
  rmSync(folder, { recursive: true, force: true })
})

/** Mounts a file system, lets a program run from it, and stops serving it; a reason if that cannot be. */
async function stopServing(): Promise<string | undefined> {
  if (!existsSync('/dev/fuse')) return 'there is no /dev/fuse'
  if (BUSYBOX === undefined) return 'there is no busybox'
  // The mark of removed files is what makes the file itself be asked.
  const name = 'program (deleted)'
  const server = spawn(process.execPath, [SERVER, mounted, name, BUSYBOX], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.push(server.pid as number)
  const said = await Promise.race([once(server.stdout, 'data'), once(server.stderr, 'data')])
  if (!String(said[0]).startsWith('mounted')) return `FUSE cannot be mounted here: ${String(said[0])}`
  const program = spawn(join(mounted, name), ['sleep', '1000'], { argv0: 'busybox', stdio: 'ignore' })
  children.push(program.pid as number)
  await once(program, 'spawn')
  server.kill('SIGSTOP')
  return undefined
}

test('a file system that does not answer holds up no queue', { timeout: 300_000 }, async (t) => {
  const reason = await stopServing()
  if (reason !== undefined) return t.skip(reason)
  const all = { fileAccess: true, files: true, executables: true, packages: true, execChanges: true }
  for (const options of [
    { snapshot: true },
    { fileAccess: true },
    { fileAccess: [`${mounted}/*`, `${mounted}/file`] },
    { files: true },
    { files: [folder] },
    { files: [mounted] },
    { ...all, tty: true, snapshot: true },
  ]) {
    const text = JSON.stringify(options)
    const { status, signal, stdout, stderr } = spawnSync(
      process.execPath,
      ['--input-type=module', '-e', RUN, LIBRARY, text],
      { timeout: LIMIT_MS, killSignal: 'SIGKILL', encoding: 'utf8' },
    )
    assert.deepEqual([status, signal], [0, null], `${text}: ${stderr}`)
    if ('snapshot' in options) assert.ok(Number(stdout) > 1, `${text}: ${stdout} processes`)
  }
})
