// Runs the kernel tests of every package on other kernels, under QEMU without KVM. See docs/kernels.md.
//   node scripts/kernels.mjs [version…] [--arch x64|arm64] [--vmlinuz PATH] [--lockdown integrity|confidentiality]
//                            [--test PATTERN | --facts | --run 'ARGUMENTS OF NODE'] [--env NAME=VALUE]…
//                            [--refresh] [--no-build]
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { basename } from 'node:path'
import { parseArgs } from 'node:util'
import { bootGuest } from './kernels/boot.mjs'
import { buildImage } from './kernels/image.mjs'
import { installTools, NotFetched } from './kernels/packages.mjs'
import { fetchKernel } from './kernels/vmlinuz.mjs'
import { readCommand, readRun } from './kernels/results.mjs'
import { writeSupportTable } from './kernels/support-table.mjs'

const CACHE = '.cache/kernels'
/** Kernels that are run when none is named: version, architecture, lockdown. */
const MATRIX = [
  { version: '6.1', arch: 'x64' },
  { version: '6.12', arch: 'x64' },
  { version: '6.12', arch: 'x64', lockdown: 'confidentiality' },
  { version: '6.12', arch: 'arm64' },
  { version: '5.10', arch: 'x64' },
  { version: 'newest', arch: 'x64' },
]

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
  if (positionals.length === 0 && arch === undefined && lockdown === undefined) return MATRIX
  const versions = positionals.length > 0 ? positionals : ['6.12']
  return versions.map((version) => ({ version, arch: arch ?? 'x64', lockdown }))
}

function nameOf({ version, arch, lockdown }) {
  return `${version} ${arch}${lockdown === undefined ? '' : ` lockdown=${lockdown}`}`
}

async function runGuest(guest) {
  const name = nameOf(guest)
  const vmlinuz =
    guest.vmlinuz ?? (await fetchKernel(guest.version, guest.arch, { cache: CACHE, refresh: values.refresh }))
  const image = await buildImage(guest.arch, {
    cache: CACHE,
    filter: values.facts || values.run !== undefined ? /$^/ : new RegExp(values.test),
    settings: values.env,
    command: values.run,
  })
  const log = `${CACHE}/logs/${name.replaceAll(/[ =]/g, '-')}.log`
  const started = performance.now()
  const output = await bootGuest({ ...guest, vmlinuz, image: image.path, log })
  const seconds = Math.round((performance.now() - started) / 1000)
  const read = values.run === undefined ? readRun(output, image.files) : readCommand(output)
  return { name, log, seconds, ...read }
}

function reportCommand({ name, release, written, failures, seconds, log }) {
  console.log(`== ${name} (${release ?? 'did not boot'}), ${seconds} s; log in ${log}`)
  process.stdout.write(written)
  for (const failure of failures) console.log(`✖ ${failure}`)
}

function report({ name, release, passed, failures, skipped, seconds, log }) {
  const verdict = failures.length === 0 ? '✔' : '✖'
  console.log(
    `${verdict} ${name} (${release ?? 'did not boot'}): ${passed} passed, ${failures.length} failed, ` +
      `${skipped} left out, in ${seconds} s; log in ${log}`,
  )
  for (const failure of failures) console.log(`    ✖ ${failure}`)
}

process.chdir(new URL('..', import.meta.url).pathname)
mkdirSync(`${CACHE}/logs`, { recursive: true })
if (!values['no-build']) {
  const { status } = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '-b'], {
    stdio: 'inherit',
  })
  if (status !== 0) throw new Error('Cannot test kernels: the build failed')
}

const guests = wantedGuests()
const runs = []
const notFetched = []
for (const guest of guests) {
  try {
    installTools(guest.arch)
    const run = await runGuest(guest)
    if (values.run === undefined) report(run)
    else reportCommand(run)
    runs.push(run)
  } catch (error) {
    if (!(error instanceof NotFetched)) throw error
    notFetched.push(`${nameOf(guest)}: ${error.message}`)
    console.log(`- ${nameOf(guest)} not fetched: ${error.message}`)
  }
}
if (values.test === '' && values.run === undefined) writeSupportTable('docs/kernels.md', runs)

const passed = runs.reduce((sum, run) => sum + run.passed, 0)
const failed = runs.reduce((sum, run) => sum + run.failures.length, 0)
for (const line of notFetched) console.log(`not fetched: ${line}`)
console.log(
  `${passed} passed, ${failed} failed${notFetched.length > 0 ? `, ${notFetched.length} kernels not fetched` : ''}`,
)
process.exitCode = failed === 0 && (passed > 0 || (values.facts && runs.length > 0)) ? 0 : 1
