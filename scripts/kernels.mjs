// Runs the kernel tests of every package on other kernels, under QEMU without KVM. See docs/kernels.md.
//   node scripts/kernels.mjs [version…] [--arch x64|arm64] [--vmlinuz PATH] [--lockdown integrity|confidentiality]
//                            [--test PATTERN | --facts | --run 'ARGUMENTS OF NODE'] [--env NAME=VALUE]…
//                            [--ci] [--cpus N] [--icount] [--at-once N] [--python] [--refresh] [--no-build]
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename } from 'node:path'
import { parseArgs } from 'node:util'
import { bootGuest } from './kernels/boot.mjs'
import { buildImage } from './kernels/image.mjs'
import { installTools, NotFetched } from './kernels/packages.mjs'
import { fetchKernel } from './kernels/vmlinuz.mjs'
import { readCommand, readRun } from './kernels/results.mjs'
import { writeSupportTable } from './kernels/support-table.mjs'

const CACHE = '.cache/kernels'
/**
 * What lockdown does not affect: another guest of CI tests these backends, and levels and rings, which are on the host, too.
 */
const NOT_OF_LOCKDOWN = /\/(audit\/audit|proc-connector\/proc-connector|session\/(levels|rings))\.kernel/
/** The same of the architecture: what differs is the programs; of kprobes, the names of registers only. */
const NOT_OF_ARCHITECTURE =
  /\/(audit\/audit|proc-connector\/proc-connector|kprobe\/scenario|doctor|backend\/facts|session\/(levels|rings|cgroup|iterator|results))\.kernel/
/**
 * Kernels that are run when none is named: version, architecture, lockdown. With `--ci` those that every change is
 * tested on; `ciWithout` is what is left out then.
 */
const MATRIX = [
  { version: '6.1', arch: 'x64', ci: true },
  { version: '6.12', arch: 'arm64', ci: true, ciWithout: NOT_OF_ARCHITECTURE },
  { version: '6.12', arch: 'x64' },
  {
    version: '6.12',
    arch: 'x64',
    lockdown: 'confidentiality',
    ci: true,
    ciWithout: NOT_OF_LOCKDOWN,
  },
  { version: '5.10', arch: 'x64' },
  { version: 'newest', arch: 'x64' },
  { version: '5.10', arch: 'arm64' },
  { version: '6.1', arch: 'x64', lockdown: 'confidentiality' },
]
/** What `--ci` runs there: what depends on the kernel most. All of it would take longer than a change may wait. */
const CI_FILES =
  /ebpf\/.*\/(session\/(session|rings|levels|hooks|results|dispatch|cgroup|iterator)|kernel\/features)\.kernel|\/backend\/(facts|ebpf\/ebpf|kprobe\/scenario|proc-connector\/proc-connector|audit\/audit)\.kernel|\/scenario\.kernel|\/doctor\.kernel/
const CI_LIMIT_MS = 15 * 60_000

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    arch: { type: 'string' },
    vmlinuz: { type: 'string' },
    lockdown: { type: 'string' },
    test: { type: 'string', default: '' },
    /** Runs no tests, and only writes the tables. */
    facts: { type: 'boolean', default: false },
    /** Runs node with these arguments instead of tests, and prints what it writes. */
    run: { type: 'string' },
    /** For the tests or the command: NAME=VALUE. */
    env: { type: 'string', multiple: true, default: [] },
    ci: { type: 'boolean', default: false },
    /** CPUs of the guest; 1 unless a test needs more. */
    cpus: { type: 'string', default: '1' },
    /** The guest's clock is the number of instructions that it has run, 8 ns each: figures depend on nothing that the host does. */
    icount: { type: 'boolean', default: false },
    /** Guests at the same time. */
    'at-once': { type: 'string', default: String(Math.max(1, Math.min(4, availableParallelism()))) },
    /** Python in the guest, for tests that need it. */
    python: { type: 'boolean', default: false },
    refresh: { type: 'boolean', default: false },
    'no-build': { type: 'boolean', default: false },
  },
})

function wantedGuests() {
  const { arch, vmlinuz, lockdown } = values
  if (arch !== undefined && arch !== 'x64' && arch !== 'arm64') {
    throw new Error(`Cannot run kernels of this architecture: ${arch} (give x64 or arm64)`)
  }
  if (vmlinuz !== undefined) {
    return [{ version: basename(vmlinuz), arch: arch ?? process.arch, lockdown, vmlinuz }]
  }
  if (positionals.length === 0 && arch === undefined && lockdown === undefined) {
    return MATRIX.filter(({ ci }) => ci === true || !values.ci)
  }
  const versions = positionals.length > 0 ? positionals : ['6.12']
  return versions.map((version) => ({ version, arch: arch ?? 'x64', lockdown }))
}

function nameOf({ version, arch, lockdown }) {
  return `${version} ${arch}${lockdown === undefined ? '' : ` lockdown=${lockdown}`}`
}

/** What is fetched and built before any guest runs: kernels, and an image for each architecture. */
async function prepare(guests) {
  const images = new Map()
  const ready = []
  const notFetched = []
  for (const guest of guests) {
    const { version, arch } = guest
    try {
      installTools(arch)
      const fetching = { cache: CACHE, refresh: values.refresh }
      const vmlinuz = guest.vmlinuz ?? (await fetchKernel(version, arch, fetching))
      if (!images.has(arch)) images.set(arch, await buildImage(arch, imageOptions()))
      ready.push({ ...guest, vmlinuz, image: images.get(arch) })
    } catch (error) {
      if (!(error instanceof NotFetched)) throw error
      notFetched.push(`${nameOf(guest)}: ${error.message}`)
    }
  }
  return { ready, notFetched }
}

function filesToRun() {
  if (values.facts || values.run !== undefined) return /$^/
  return values.ci ? CI_FILES : new RegExp(values.test)
}

function imageOptions() {
  return {
    cache: CACHE,
    filter: filesToRun(),
    settings: values.env,
    command: values.run,
    python: values.python,
  }
}

async function runGuest(guest) {
  const { image } = guest
  const name = nameOf(guest)
  const leaveOut = values.ci ? guest.ciWithout : undefined
  const log = `${CACHE}/logs/${name.replaceAll(/[ =]/g, '-')}.log`
  const started = performance.now()
  const output = await bootGuest({
    ...guest,
    image: image.path,
    log,
    cpus: values.cpus,
    countsInstructions: values.icount,
    leaveOut,
    limitMs: values.ci ? CI_LIMIT_MS : undefined,
  })
  const seconds = Math.round((performance.now() - started) / 1000)
  const files = image.files.filter((file) => leaveOut?.test(file) !== true)
  const read = values.run === undefined ? readRun(output, files) : readCommand(output)
  const run = { name, log, seconds, ...read }
  if (values.run === undefined) report(run)
  else reportCommand(run)
  return run
}

/** Runs all guests, so many at once; returns results in the order in which they were given. */
async function runAll(guests) {
  const runs = []
  let next = 0
  const work = async () => {
    while (next < guests.length) {
      const index = next
      next += 1
      runs[index] = await runGuest(guests[index])
    }
  }
  // Each has one CPU: with a CPU for each, they do not slow each other down.
  await Promise.all(Array.from({ length: Number(values['at-once']) }, work))
  return runs
}

function reportCommand({ name, release, written, failures, seconds, log }) {
  console.log(`== ${name} (${release ?? 'did not boot'}), ${seconds} s; log in ${log}`)
  process.stdout.write(written)
  for (const failure of failures) console.log(`✖ ${failure}`)
}

function report({ name, release, passed, failures, explanations, skipped, seconds, log }) {
  const verdict = failures.length === 0 ? '✔' : '✖'
  console.log(
    `${verdict} ${name} (${release ?? 'did not boot'}): ${passed} passed, ${failures.length} failed, ` +
      `${skipped} left out, in ${seconds} s; log in ${log}`,
  )
  for (const failure of failures) {
    console.log(`    ✖ ${failure}`)
    // With a run in CI this is all that is left of it.
    for (const line of explanations.get(failure) ?? []) console.log(`    ${line}`)
  }
}

process.chdir(new URL('..', import.meta.url).pathname)
mkdirSync(`${CACHE}/logs`, { recursive: true })
if (!values['no-build']) {
  const { status } = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '-b'], {
    stdio: 'inherit',
  })
  if (status !== 0) throw new Error('Cannot test kernels: the build failed')
}

const { ready, notFetched } = await prepare(wantedGuests())
for (const line of notFetched) console.log(`- not fetched: ${line}`)
const runs = await runAll(ready)
if (values.test === '' && values.run === undefined) {
  writeSupportTable('docs/kernels.md', runs, values.ci ? ' of those with `--ci`' : '')
}

const sum = (count) => runs.reduce((total, run) => total + count(run), 0)
const passed = sum((run) => run.passed)
const failed = sum(({ failures }) => failures.length)
const skipped = sum((run) => run.skipped)
console.log(
  `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}` +
    `${notFetched.length > 0 ? `, ${notFetched.length} kernels not fetched` : ''}`,
)
process.exitCode = failed === 0 && (passed > 0 || (values.facts && runs.length > 0)) ? 0 : 1
