// Command lines that people have written, from scripts and documents of this machine, are left as they are by redaction.
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Redactor } from '../packages/telemetry/dist/redact/redactor.js'

const FOLDERS = [
  'node_modules',
  '/var/lib/dpkg/info',
  '/usr/bin',
  '/usr/sbin',
  '/etc',
  '/usr/lib',
  '/usr/share',
  '/usr/local',
]
const MAX_FILES = 60_000
const MAX_FILE_BYTES = 400_000
const MAX_LINES = 20_000
/** Of fewer lines nothing follows. */
const MIN_LINES = 500

/** Files below a folder, links not followed. */
function* filesIn(folder, budget) {
  let entries
  try {
    entries = readdirSync(folder, { withFileTypes: true })
  } catch {
    return
  }
  for (const entry of entries) {
    if (budget.left <= 0) return
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* filesIn(path, budget)
    else if (entry.isFile()) {
      budget.left -= 1
      yield path
    }
  }
}

const COMMAND = /^@?[a-z./-][\w./-]* +\S/

/** Lines of a file that are commands. */
function commandsIn(path) {
  const isPackage = path.endsWith('/package.json')
  const isDocument = /\.(md|rst)$/.test(path)
  const mayBeScript =
    /\/(dpkg\/info|s?bin|init\.d|cron)/.test(path) || /\.(sh|bash|mk)$|\/Makefile$/.test(path)
  if (!isPackage && !isDocument && !mayBeScript) return []
  let text
  try {
    if (statSync(path).size > MAX_FILE_BYTES) return []
    text = readFileSync(path, 'utf8')
  } catch {
    return []
  }
  if (isPackage) {
    try {
      return Object.values(JSON.parse(text).scripts ?? {}).filter((line) => typeof line === 'string')
    } catch {
      return []
    }
  }
  if (isDocument) {
    const blocks = [...text.matchAll(/```(?:sh|bash|shell|console)\n([^]*?)```/g)].flatMap(([, block]) =>
      block.split('\n'),
    )
    return blocks.map((line) => line.replace(/^\s*\$? */, '')).filter((line) => COMMAND.test(line))
  }
  if (text.includes('\0') || (!/^#!.*sh\b/.test(text) && !/\.(sh|bash|mk)$|\/Makefile$/.test(path))) return []
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => COMMAND.test(line))
}

function collect() {
  const lines = new Set()
  for (const folder of FOLDERS) {
    if (!existsSync(folder)) continue
    for (const path of filesIn(folder, { left: MAX_FILES })) {
      for (const line of commandsIn(path)) if (line.length < 2000) lines.add(line)
      if (lines.size >= MAX_LINES) return [...lines]
    }
  }
  return [...lines]
}

/** Words that name a secret: where one is given in a line, it may be one. */
const NAMES_SECRET = /pass|pwd|secret|token|key|auth|cred|cookie|:\/\/[^/\s]*@/i

test('ordinary command lines are not changed', (t) => {
  const lines = collect()
  t.diagnostic(`${lines.length} command lines`)
  if (lines.length < MIN_LINES) {
    t.skip(`only ${lines.length} command lines are on this machine`)
    return
  }
  const redactor = new Redactor()
  const changed = lines.filter((line) => {
    const argv = line.split(/\s+/)
    return redactor.argv(argv) !== argv || redactor.argv(['sh', '-c', line])[2] !== line
  })
  assert.deepEqual(
    changed.filter((line) => !NAMES_SECRET.test(line)),
    [],
  )
  // Examples with a secret in them are few.
  assert.ok(changed.length <= Math.ceil(lines.length / 500), changed.join('\n'))
})
