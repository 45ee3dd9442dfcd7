import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { AskedFile, FileContent } from './asked.js'
import { FileReader } from './file-reader.js'
import { Packages } from './packages.js'
import { readFile } from './read-file.js'

const NO_PROCESS = 2 ** 30

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'quark-reader-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return folder
}

/** The question about a file as it is now, of a process that is gone. */
function questionOf(path: string): AskedFile {
  const { ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true })
  return {
    device: 1,
    generation: 0,
    inode: String(ino),
    sizeBytes: Number(size),
    mtimeNs: String(mtimeNs),
    ctimeNs: String(ctimeNs),
    pid: NO_PROCESS,
    path,
    isDeleted: false,
    isKnown: false,
    script: undefined,
  }
}

const noPace = (): void => undefined

test('a file is read by its name if it is the one that was executed, and else not at all', (t) => {
  const path = join(folderOf(t), 'file')
  writeFileSync(path, 'content')
  const asked = questionOf(path)
  const sha256 = createHash('sha256').update('content').digest('hex')
  assert.deepEqual(readFile(asked, 100, noPace), { sha256 })
  assert.deepEqual(readFile(asked, 3, noPace), { unread: 'tooLarge' })
  writeFileSync(`${path}.new`, 'CONTENT')
  renameSync(`${path}.new`, path)
  assert.deepEqual(readFile(asked, 100, noPace), { unread: 'gone' })
})

test('a FIFO or a device that has taken the name is not opened', (t) => {
  const path = join(folderOf(t), 'file')
  writeFileSync(path, '')
  const asked = questionOf(path)
  rmSync(path)
  spawnSync('mkfifo', [path])
  assert.deepEqual(readFile(asked, 100, noPace), { unread: 'gone' })
})

test('a file that changes while it is read has no sha256', (t) => {
  const path = join(folderOf(t), 'file')
  writeFileSync(path, Buffer.alloc(1 << 20))
  let reads = 0
  const found = readFile(questionOf(path), 1 << 21, () => {
    reads += 1
    if (reads === 2) writeFileSync(path, Buffer.alloc(1 << 20, 1))
  })
  assert.deepEqual(found, { unread: 'changed' })
  assert.deepEqual(
    readFile(questionOf(path), 1 << 21, () => writeFileSync(path, 'short')),
    { unread: 'changed' },
  )
})

/** Asks a reader some files; their answers in the order of asking. */
async function answersOf(
  reader: (take: (content: FileContent) => void) => FileReader,
  files: readonly AskedFile[],
): Promise<FileContent[]> {
  const answers: FileContent[] = []
  let resolve = (): void => undefined
  const done = new Promise<void>((take) => (resolve = take))
  const opened = reader((content) => {
    answers.push(content)
    if (answers.length === files.length) resolve()
  })
  const alive = setInterval(() => undefined, 1000)
  for (const file of files) opened.ask(file)
  await done
  clearInterval(alive)
  opened.close()
  return answers
}

test('files are read in a process of their own, one after the other', { timeout: 60_000 }, async (t) => {
  const folder = folderOf(t)
  const files = ['one', 'two', 'three'].map((name) => {
    writeFileSync(join(folder, name), name)
    return questionOf(join(folder, name))
  })
  const limits = { maxBytes: 1000, bytesPerSecond: 1 << 20, packages: false }
  const answers = await answersOf((take) => new FileReader(limits, (_file, content) => take(content)), files)
  assert.deepEqual(
    answers.map(({ sha256 }) => sha256),
    ['one', 'two', 'three'].map((name) => createHash('sha256').update(name).digest('hex')),
  )
})

test(
  'a reader that is slow does not hang: it is waited for as long as it reads',
  { timeout: 60_000 },
  async (t) => {
    const path = join(folderOf(t), 'file')
    writeFileSync(path, Buffer.alloc(6 << 20))
    // A second's worth at once, then a chunk each 250 ms.
    const limits = { maxBytes: 1 << 30, bytesPerSecond: 1 << 20, packages: false, answerMs: 4000 }
    const begin = performance.now()
    const [answer] = await answersOf(
      (take) => new FileReader(limits, (_file, content) => take(content)),
      [questionOf(path)],
    )
    assert.ok(performance.now() - begin > 4500)
    assert.equal(
      answer?.sha256,
      createHash('sha256')
        .update(Buffer.alloc(6 << 20))
        .digest('hex'),
    )
  },
)

test(
  'when the process that reads is gone, what was asked and is asked has that as an answer',
  { timeout: 60_000 },
  async (t) => {
    const path = join(folderOf(t), 'file')
    writeFileSync(path, 'content')
    const answers: FileContent[] = []
    const limits = { maxBytes: 1000, bytesPerSecond: 1 << 20, packages: false }
    const reader = new FileReader(limits, (_file, content) => void answers.push(content))
    process.kill(reader.pid as number, 'SIGKILL')
    reader.ask(questionOf(path))
    for (let i = 0; i < 500 && answers.length === 0; i++)
      await new Promise((resolve) => setTimeout(resolve, 20))
    reader.ask(questionOf(path))
    assert.deepEqual(
      answers.map(({ unread }) => unread),
      ['noReader', 'noReader'],
    )
  },
)

test('packages of dpkg, apk and npm are found on their root', (t) => {
  const root = folderOf(t)
  mkdirSync(join(root, 'var/lib/dpkg/info'), { recursive: true })
  const paragraph = (name: string, state: string): string =>
    `Package: ${name}\nStatus: ${state}\nArchitecture: amd64\nVersion: 1:2-3\nDescription: x\n y: z\n`
  writeFileSync(
    join(root, 'var/lib/dpkg/status'),
    `${paragraph('tools', 'install ok installed')}\n${paragraph('gone', 'deinstall ok config-files')}\n${paragraph('libx', 'install ok installed')}`,
  )
  writeFileSync(join(root, 'var/lib/dpkg/info/tools.list'), '/.\n/bin\n/bin/tool\n')
  writeFileSync(join(root, 'var/lib/dpkg/info/gone.list'), '/usr/bin/gone\n')
  writeFileSync(join(root, 'var/lib/dpkg/info/libx:amd64.list'), '/usr/lib/x\n')
  mkdirSync(join(root, 'lib/apk/db'), { recursive: true })
  writeFileSync(
    join(root, 'lib/apk/db/installed'),
    'C:Q1\nP:busy\nV:1.36-r0\nA:x86_64\nF:bin\nR:busy\nF:\nR:top\n\nP:other\nV:1\nF:sbin\nR:other\n',
  )
  mkdirSync(join(root, 'app/node_modules/pkg/lib'), { recursive: true })
  writeFileSync(join(root, 'app/node_modules/pkg/package.json'), '{"name":"pkg","version":7}')
  mkdirSync(join(root, 'app/node_modules/broken'), { recursive: true })
  writeFileSync(join(root, 'app/node_modules/broken/package.json'), '{')
  const packages = new Packages()
  const deb = { type: 'deb', version: '1:2-3', architecture: 'amd64' }
  for (const [path, expected] of [
    ['/bin/tool', { ...deb, name: 'tools' }],
    // Debian still lists it below /bin.
    ['/usr/bin/tool', { ...deb, name: 'tools' }],
    ['/usr/lib/x', { ...deb, name: 'libx' }],
    ['/usr/bin/gone', undefined],
    ['/bin/busy', { type: 'apk', name: 'busy', version: '1.36-r0', architecture: 'x86_64' }],
    ['/top', { type: 'apk', name: 'busy', version: '1.36-r0', architecture: 'x86_64' }],
    ['/sbin/other', { type: 'apk', name: 'other', version: '1', architecture: undefined }],
    [
      '/app/node_modules/pkg/lib/cli',
      { type: 'npm', name: 'pkg', version: undefined, architecture: undefined },
    ],
    ['/app/node_modules/broken/cli', undefined],
    ['/bin/unknown', undefined],
  ] as const) {
    assert.deepEqual(packages.ownerOf(root, path), expected, path)
  }
  // A database that changes is read again.
  writeFileSync(join(root, 'var/lib/dpkg/info/tools.list'), '/bin/unknown\n')
  writeFileSync(join(root, 'var/lib/dpkg/status'), `${paragraph('tools', 'install ok installed')}\n`)
  assert.equal(packages.ownerOf(root, '/bin/unknown')?.name, 'tools')
})
