// Runs all that is too long for every change, and writes what came of it to bench/verified.md, each part with its date.
//   node scripts/full.mjs [part…]      all parts without one; what is said of other parts stays
import { spawn, execFileSync } from 'node:child_process'
import { createWriteStream, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release } from 'node:os'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const node = process.execPath
/** `shows`: which lines of the output go to the page. */
const PARTS = {
  tests: {
    title: 'All tests, here and on the kernels that every change is tested on',
    args: ['scripts/test.mjs'],
  },
  faults: {
    title: 'Every failing system call once',
    args: ['scripts/test.mjs', '--kernel', 'faults.kernel'],
    env: { QUARK_FAULTS: 'all' },
    shows: /calls failed|^✔ .*:/,
  },
  install: {
    title: 'The tarballs, installed as the docs say',
    args: ['scripts/install-test.mjs', '20', '22', '24', '26'],
    shows: /^✔/,
  },
  service: {
    title: 'The service under a real systemd',
    args: ['scripts/service-test.mjs'],
    shows: /^(✔|security)/,
  },
  image: {
    title: 'The image of the Dockerfile, under Docker',
    args: ['scripts/image-test.mjs'],
    shows: /^✔/,
  },
  trace: {
    title: 'A trace in speedscope, in a browser',
    args: ['scripts/speedscope-test.mjs'],
    shows: /^speedscope/,
  },
  kernels: {
    title: 'All kernels, as guests, and the tables of facts of docs/kernels.md',
    args: ['scripts/kernels.mjs'],
    shows: /^=|^#|^\w.* passed/,
  },
  doctor: {
    title: '`quark-mon doctor` on all kernels, in docs/doctor.md',
    args: ['scripts/doctors.mjs'],
    shows: /a default run|its backend|exit code/,
  },
  sockets: {
    title: 'Situations of sockets, in docs/sockets-table.md',
    args: ['scripts/sockets.mjs'],
  },
  connections: {
    title: 'Many connections',
    args: ['scripts/connections.mjs'],
  },
}
/** What went wrong, and what was not run and why, is shown of every part. */
const ALWAYS = /^(✖|not ok|- (skipped|not run|not fetched))|^\d+ (passed|kernels)|^\d+ skipped/
const MOST_LINES = 80

const PAGE = fileURLToPath(new URL('../bench/verified.md', import.meta.url))
const LOGS = fileURLToPath(new URL('../.cache/full', import.meta.url))
process.chdir(fileURLToPath(new URL('..', import.meta.url)))

const names = process.argv.slice(2)
const unknown = names.find((name) => PARTS[name] === undefined)
if (unknown !== undefined) throw new Error(`No part "${unknown}": there are ${Object.keys(PARTS).join(', ')}`)
const wanted = names.length > 0 ? names : Object.keys(PARTS)
mkdirSync(LOGS, { recursive: true })

/** Runs a part; its whole output goes to a file. */
async function run(name) {
  const { args, env = {} } = PARTS[name]
  const startedMs = performance.now()
  const log = createWriteStream(join(LOGS, `${name}.log`))
  const child = spawn(node, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      said += text
      log.write(text)
      process.stdout.write(text)
    })
  }
  const [code, signal] = await once(child, 'close')
  log.end()
  return { said, end: signal ?? code, minutes: (performance.now() - startedMs) / 60_000 }
}

function sectionOf(name, { said, end, minutes }, before) {
  const { title, args, env = {}, shows } = PARTS[name]
  const lines = said
    .split('\n')
    .map((line) => line.trimEnd().replace(/ \([\d.]+m?s\)/, ''))
    .filter((line) => ALWAYS.test(line) || shows?.test(line) === true)
  const unique = [...new Set(lines)]
  const more = unique.length - MOST_LINES
  const command = [...Object.entries(env).map(([key, value]) => `${key}=${value}`), 'node', ...args].join(' ')
  return [
    `## ${title}`,
    `\`${command}\`, ${before.date}, commit ${before.commit}, Linux ${release()}, ${cpus().length} CPUs, load ${before.load}, Node ${process.version}: **${end === 0 ? 'passed' : `failed, ended with ${end}`}**, after ${minutes.toFixed(1)} minutes.`,
    ...(unique.length === 0
      ? []
      : [
          `\`\`\`text\n${unique.slice(0, MOST_LINES).join('\n')}${more > 0 ? `\n… and ${more} lines` : ''}\n\`\`\``,
        ]),
  ].join('\n\n')
}

function markOf(name) {
  return `<!-- part: ${name} -->`
}

/** The sections of the page, by part. */
function readPage() {
  if (!existsSync(PAGE)) return new Map()
  const [, ...sections] = readFileSync(PAGE, 'utf8').split(/^<!-- part: /m)
  return new Map(
    sections.map((section) => {
      const end = section.indexOf(' -->')
      return [section.slice(0, end), section.slice(end + 4).trim()]
    }),
  )
}

function writePage(sections) {
  const parts = Object.keys(PARTS).flatMap((name) => {
    const section = sections.get(name)
    return section === undefined ? [] : [`${markOf(name)}\n\n${section}`]
  })
  const head =
    '# What was run\n\nWritten by `npm run test:full`: what takes too long for every change. Of each part there are its last run, what\nfailed in it, and what was left out and why.'
  writeFileSync(PAGE, `${[head, ...parts].join('\n\n')}\n`)
}

let hasFailed = false
for (const name of wanted) {
  const before = {
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim(),
    load: loadavg()[0].toFixed(1),
  }
  const result = await run(name)
  hasFailed ||= result.end !== 0
  // After each: a later one may take hours.
  writePage(readPage().set(name, sectionOf(name, result, before)))
}
process.exitCode = hasFailed ? 1 : 0
