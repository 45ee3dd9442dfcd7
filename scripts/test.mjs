// Builds, checks and tests everything; the last line says "N passed, N failed".
//   node scripts/test.mjs [--unit | --kernel] [--no-checks] [--no-guests] [file filter…]
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, rmSync } from 'node:fs'
import { globSync } from './glob.mjs'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    unit: { type: 'boolean', default: false },
    kernel: { type: 'boolean', default: false },
    'no-checks': { type: 'boolean', default: false },
    /** Leaves out the kernels that run as guests: they take most of the time. */
    'no-guests': { type: 'boolean', default: false },
  },
})
const everything = !values.unit && !values.kernel && positionals.length === 0

let passed = 0
let failed = 0
let skipped = 0
/** Kernels that could not be fetched, and are not tested. */
let notFetched = 0

function check(name, command, args) {
  const started = performance.now()
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 64 << 20 })
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  if (status === 0) {
    passed += 1
    console.log(`✔ ${name} (${seconds} s)`)
  } else {
    failed += 1
    console.log(`✖ ${name} (${seconds} s)\n${stdout}${stderr}`)
  }
  return status === 0
}

const node = process.execPath
const built =
  check('build', node, ['node_modules/typescript/bin/tsc', '-b']) &&
  check('bundle', node, ['scripts/bundle.mjs'])
if (everything && !values['no-checks']) {
  check('format', node, [
    'node_modules/oxfmt/bin/oxfmt',
    '--check',
    'packages',
    'scripts',
    'examples',
    'bench',
  ])
  check('lint', node, [
    'node_modules/oxlint/bin/oxlint',
    '--deny-warnings',
    'packages',
    'scripts',
    'examples',
    'bench',
  ])
  if (built)
    check('pure rooms compile without the types of Node', node, [
      'node_modules/typescript/bin/tsc',
      '-p',
      'tsconfig.pure.json',
    ])
  if (built) check('public API is as recorded in api/', node, ['scripts/api.mjs', '--check'])
  if (built) check('docs and schema are what the declarations say', node, ['scripts/docs.mjs', '--check'])
  if (built) check('examples run', node, ['scripts/examples.mjs'])
  if (built) check('the packed packages install and run', node, ['scripts/install-test.mjs'])
}

/** Removes what was built of sources that are gone: their tests would still run. */
function prune() {
  for (const file of globSync('packages', /\/dist\/.*\.js$/)) {
    if (existsSync(file.replace('/dist/', '/src/').replace(/\.js$/, '.ts')) || isBundled(file)) continue
    for (const part of ['.js', '.js.map', '.d.ts', '.d.ts.map'])
      rmSync(file.replace(/\.js$/, part), { force: true })
  }
}

/** Whether a file in dist is made by scripts/bundle.mjs, and of no source beside it. */
function isBundled(file) {
  return file.includes('.bundle.') || /mon\/dist\/(?:reader|users)-main\.js$/.test(file)
}

/** Runs test files and counts their tests; suites are not tests. */
async function runFiles(files, concurrency) {
  // Each file's process looks for leaks when its tests are done.
  process.env.NODE_OPTIONS = `--import=${new URL('leaks.mjs', import.meta.url)}`
  // All faults take longer, by their own limit.
  const timeout = process.env.QUARK_FAULTS === 'all' ? 3_600_000 : 600_000
  const stream = run({ files, concurrency, timeout })
  stream.on('test:pass', (data) => {
    if (data.details?.type === 'suite') return
    if (data.skip !== undefined) {
      skipped += 1
      console.log(`- skipped: ${data.name} (${data.skip})`)
    } else {
      passed += 1
    }
  })
  stream.on('test:fail', (data) => {
    if (data.details?.error?.failureType !== 'subtestsFailed') failed += 1
  })
  await new Promise((resolve, reject) => {
    stream.compose(new spec()).on('error', reject).on('end', resolve).pipe(process.stdout, { end: false })
  })
}

/**
 * Other kernels, and some of them with lockdown: docs/kernels.md. Their tests count as any. They run beside the tests
 * of this kernel, which mostly wait: one at a time, and after these where both want a CPU.
 */
async function runGuests() {
  const child = spawn(
    'nice',
    ['-n', '5', node, 'scripts/kernels.mjs', '--ci', '--no-build', '--at-once', '1'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    said += text
    process.stdout.write(text)
  })
  const [code] = await once(child, 'close')
  const [, guestsPassed, guestsFailed, guestsSkipped = 0] =
    /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?/.exec(said.trimEnd().split('\n').at(-1)) ?? []
  passed += Number(guestsPassed ?? 0)
  failed += Number(guestsFailed ?? 1)
  skipped += Number(guestsSkipped)
  const notFetched = said.split('\n').filter((line) => line.startsWith('- not fetched: ')).length
  // Without a network kernels are not fetched, which is reported above; the others still count.
  if (code !== 0 && guestsFailed === '0' && notFetched === 0) failed += 1
  return notFetched
}

if (built) {
  prune()
  const wanted = (file) => positionals.length === 0 || positionals.some((part) => file.includes(part))
  const files = [
    ...globSync('packages', /dist\/.*\.test\.js$/),
    ...globSync('scripts', /\.test\.mjs$/),
  ].filter(wanted)
  const kernel = files.filter((file) => file.endsWith('.kernel.test.js'))
  const unit = files.filter((file) => !file.endsWith('.kernel.test.js'))
  if (!values.kernel) await runFiles(unit, availableParallelism())
  if (!values.unit) {
    if (process.getuid() === 0) {
      const guests = everything && !values['no-guests'] ? runGuests() : 0
      // One at a time: these look at everything that runs on the machine.
      await runFiles(kernel, 1)
      notFetched = await guests
    } else {
      console.log(`✖ ${kernel.length} files of kernel tests need root: run as root, or with --unit`)
      failed += 1
    }
  }
}

if (notFetched > 0) console.log(`${notFetched} kernels were not fetched and not tested: see above`)
if (skipped > 0) console.log(`${skipped} skipped, for the reasons above`)
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 && passed > 0 ? 0 : 1
