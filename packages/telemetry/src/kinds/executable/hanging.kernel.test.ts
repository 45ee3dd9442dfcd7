import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { mountDead } from '../../testing/dead-mount.js'
import type { AskedFile, FileContent } from './asked.js'
import { FileReader } from './file-reader.js'

test(
  'a file system that does not answer holds up nothing but the files on it',
  { timeout: 120_000 },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'quark-hanging-'))
    const dead = join(folder, 'dead')
    mkdirSync(dead)
    const server = mountDead(dead)
    if (typeof server === 'string') {
      rmSync(folder, { recursive: true })
      return t.skip(server)
    }
    t.after(() => {
      // What waits for an answer gets an error when there is nobody who could give it.
      closeSync(server.fd)
      spawnSync('umount', ['-l', dead])
      rmSync(folder, { recursive: true, force: true })
    })
    const path = join(folder, 'file')
    writeFileSync(path, 'content')
    const { ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true })
    const here: AskedFile = {
      device: 1,
      generation: 0,
      inode: String(ino),
      sizeBytes: Number(size),
      mtimeNs: String(mtimeNs),
      ctimeNs: String(ctimeNs),
      pid: 2 ** 30,
      path,
      isDeleted: false,
      isKnown: false,
      script: undefined,
    }
    const there: AskedFile = { ...here, device: 2, sizeBytes: 1, path: join(dead, 'file') }
    const answers: [device: number, content: FileContent][] = []
    const limits = { maxBytes: 1000, bytesPerSecond: 1 << 20, packages: false, answerMs: 3000 }
    const reader = new FileReader(limits, ({ device }, content) => void answers.push([device, content]))
    const answered = async (count: number): Promise<void> => {
      while (answers.length < count) await sleep(20)
    }
    const sha256 = createHash('sha256').update('content').digest('hex')
    reader.ask(there)
    reader.ask(here)
    await answered(2)
    assert.deepEqual(answers, [
      [2, { unread: 'noAnswer' }],
      [1, { sha256 }],
    ])
    // It is not asked again so soon.
    const begin = performance.now()
    reader.ask({ ...there, inode: '1' })
    await answered(3)
    assert.deepEqual(answers[2], [2, { unread: 'noAnswer' }])
    assert.ok(performance.now() - begin < 2000)
    reader.close()
  },
)
