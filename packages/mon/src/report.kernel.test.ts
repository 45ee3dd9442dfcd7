import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Ajv2020 } from 'ajv/dist/2020.js'
import type { ReportedActivity, RunReport } from 'quark-telemetry'

const QUARK_MON = fileURLToPath(new URL('../bin/quark-mon.cjs', import.meta.url))
const root = mkdtempSync(join(tmpdir(), 'quark-mon-report-'))
let server: Server
let port: number

before(async () => {
  server = createServer((_, response) => response.end('hello')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  ;({ port } = server.address() as AddressInfo)
})
after(() => {
  server.close()
  rmSync(root, { recursive: true, force: true })
})

interface Ran {
  readonly status: number | null
  readonly out: string
  readonly err: string
}

async function quarkMon(
  args: readonly string[],
  cwd = root,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Ran> {
  const child = spawn(process.execPath, [QUARK_MON, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text) => (out += text))
  child.stderr.setEncoding('utf8').on('data', (text) => (err += text))
  const [status] = (await once(child, 'close')) as [number | null]
  return { status, out, err }
}

const schema = createRequire(import.meta.url)('quark-telemetry/report.schema.json') as object
const ajv = new Ajv2020({ strict: true })
const isReport = ajv.compile(schema)

function reportIn(path: string): RunReport {
  const report = JSON.parse(readFileSync(path, 'utf8')) as RunReport
  assert.ok(isReport(report), ajv.errorsText(isReport.errors))
  return report
}

function targets(activities: readonly ReportedActivity[] | undefined): string[] {
  return (activities ?? []).map(({ target }) => target)
}

/** A package with a script that runs when it is installed. */
function makePackage(name: string, script: string): string {
  const directory = join(root, 'packages', name)
  mkdirSync(directory, { recursive: true })
  const manifest = { name, version: '1.2.3', scripts: { postinstall: 'node install.js' } }
  writeFileSync(join(directory, 'package.json'), JSON.stringify(manifest))
  writeFileSync(join(directory, 'install.js'), script)
  const { stdout } = spawnSync('npm', ['pack', '--silent'], { cwd: directory, encoding: 'utf8' })
  return join(directory, stdout.trim().split('\n').at(-1) as string)
}

function makeProject(name: string, tarballs: readonly string[]): string {
  const directory = join(root, name)
  mkdirSync(directory)
  const dependencies = Object.fromEntries(
    tarballs.map((path) => [path.replace(/^.*\/(\w+)-[\d.]+\.tgz$/, '$1'), `file:${path}`]),
  )
  writeFileSync(join(directory, 'package.json'), JSON.stringify({ name, version: '1.0.0', dependencies }))
  return directory
}

/** Scripts of packages run, and npm asks nobody. */
const NPM = [
  'install',
  '--no-audit',
  '--no-fund',
  '--offline',
  '--ignore-scripts=false',
  '--foreground-scripts',
]

function npmEnvironment(): NodeJS.ProcessEnv {
  return {
    ...process.env,
    npm_config_cache: join(root, 'cache'),
    npm_config_update_notifier: 'false',
    npm_config_ignore_scripts: 'false',
  }
}

test('a report says what a command did, and leaves its output and status alone', async () => {
  const path = join(root, 'one.json')
  const trace = join(root, 'one.trace.json')
  const directory = join(root, 'one')
  mkdirSync(directory)
  const script = `echo hello; echo x > inside; echo x > ${root}/outside; echo x > ${root}/gone; rm ${root}/gone; sh -c 'exit 3'; exit 7`
  const ran = await quarkMon(
    ['run', `--report=${path}`, `--trace=${trace}`, '--', 'sh', '-c', script],
    directory,
  )
  assert.deepEqual([ran.status, ran.out], [7, 'hello\n'], ran.err)
  const report = reportIn(path)
  assert.equal(report.exitCode, 7)
  assert.deepEqual(report.missing, [])
  assert.equal(report.isComplete, true)
  assert.equal(report.processes.created, report.processes.seen)
  assert.deepEqual(targets(report.activities.created), [`${root}/outside`])
  assert.ok(!JSON.stringify(Object.values(report.activities).map(targets)).includes('/gone'))
  assert.equal(report.filesTemporary, 1)
  assert.equal(report.filesInside, 1)
  const [first] = report.tree
  assert.equal(first?.exitCode, 7)
  assert.ok(first?.children?.some(({ exitCode }) => exitCode === 3))
  const { traceEvents } = JSON.parse(readFileSync(trace, 'utf8')) as {
    traceEvents: { ph: string; name: string; ts: number; dur?: number }[]
  }
  const spans = traceEvents.filter(({ ph }) => ph === 'X')
  assert.equal(spans.length, report.processes.seen)
  assert.ok(spans.every(({ ts, dur = -1 }) => ts >= 0 && dur >= 0))
  assert.ok(traceEvents.some(({ ph, name }) => ph === 'i' && name === `Files created: ${root}/outside`))
})

test('text goes to standard error, and Markdown to a file of that name', async () => {
  const text = await quarkMon(['run', '--', 'sh', '-c', 'true | cat'])
  assert.match(text.err, /^sh -c true \| cat: exit 0, /)
  assert.match(text.err, /\nProcesses\n {2}sh -c 'true \| cat' # /)
  assert.match(text.err, /\n\d processes created = \d seen; nothing was lost\.\n$/)
  const path = join(root, 'report.md')
  await quarkMon(['run', `--report=${path}`, '--', 'sh', '-c', 'true | cat'])
  assert.match(
    readFileSync(path, 'utf8'),
    /^## `sh -c true \| cat`: exit 0, [^]*<summary>Processes<\/summary>\n\n```text\nsh -c/,
  )
})

test('what npm installs did, package by package, and a baseline of it', async (t) => {
  const contacts = makePackage(
    'contacts',
    `require('http').get('http://127.0.0.1:${port}/x', (r) => r.resume())`,
  )
  const writes = makePackage(
    'writes',
    `require('fs').writeFileSync(${JSON.stringify(join(root, 'written'))}, 'x')`,
  )
  const steals = makePackage(
    'steals',
    `require('fs').readFileSync(${JSON.stringify(join(root, 'home/.aws/credentials'))})`,
  )
  mkdirSync(join(root, 'home/.aws'), { recursive: true })
  writeFileSync(join(root, 'home/.aws/credentials'), 'none')
  const runs = makePackage(
    'runs',
    `const f = ${JSON.stringify(join(root, 'tool'))}; require('fs').writeFileSync(f, '#!/bin/sh\\ntrue\\n', { mode: 0o755 }); require('child_process').execFileSync(f)`,
  )
  const daemon = makePackage(
    'daemon',
    `require('child_process').spawn('sleep', ['3'], { detached: true, stdio: 'ignore' }).unref()`,
  )
  const project = makeProject('project', [contacts, writes, steals, runs, daemon])
  const baseline = join(root, 'baseline.json')
  const path = join(root, 'npm.json')
  const run = (): Promise<Ran> =>
    quarkMon(
      [
        'run',
        `--report=${path}`,
        `--baseline=${baseline}`,
        `--file-access=${root}/home`,
        '--',
        'npm',
        ...NPM,
      ],
      project,
      npmEnvironment(),
    )
  const first = await run()
  assert.equal(first.status, 0, first.err + first.out)
  const report = reportIn(path)
  const stepsOf = (
    activities: readonly ReportedActivity[] | undefined,
    target: string,
  ): readonly string[] | undefined => activities?.find((activity) => activity.target === target)?.steps
  assert.deepEqual(stepsOf(report.activities.contacted, `127.0.0.1:${port}`), ['contacts postinstall'])
  assert.deepEqual(stepsOf(report.activities.created, join(root, 'written')), ['writes postinstall'])
  assert.deepEqual(stepsOf(report.activities.read, join(root, 'home/.aws/credentials')), [
    'steals postinstall',
  ])
  assert.deepEqual(stepsOf(report.activities.ranWritten, join(root, 'tool')), ['runs postinstall'])
  const names = report.steps.map(({ name }) => name)
  for (const step of ['contacts postinstall', 'writes postinstall', 'daemon postinstall'])
    assert.ok(names.includes(step), `${names}`)
  const tree = JSON.stringify(report.tree)
  assert.match(tree, /"command":"sleep 3"[^}]*"step":"daemon postinstall"/)
  await t.test('a second run does nothing new', async () => {
    rmSync(join(project, 'node_modules'), { recursive: true })
    rmSync(join(root, 'written'))
    rmSync(join(root, 'tool'))
    const second = await run()
    assert.equal(second.status, 0, JSON.stringify(reportIn(path).newBehaviour))
  })
  await t.test('a package that changed fails, with the difference', async () => {
    const before = readFileSync(baseline, 'utf8')
    makePackage('writes', `require('fs').writeFileSync(${JSON.stringify(join(root, 'elsewhere'))}, 'x')`)
    rmSync(join(root, 'tool'))
    rmSync(join(project, 'node_modules'), { recursive: true })
    rmSync(join(project, 'package-lock.json'), { force: true })
    const third = await run()
    assert.equal(third.status, 5, third.err)
    const { newBehaviour = [] } = reportIn(path)
    assert.deepEqual(
      newBehaviour.filter((one) => JSON.stringify(one).includes('elsewhere')),
      [
        {
          step: 'writes postinstall',
          isNewStep: false,
          what: 'paths',
          value: '/tmp/quark-mon-report-*/elsewhere',
        },
      ],
    )
    assert.equal(readFileSync(baseline, 'utf8'), before, 'it is not written unless asked')
  })
  assert.ok(existsSync(baseline))
})

test('what cannot be is refused', async () => {
  const none = await quarkMon(['run'])
  assert.equal(none.status, 2)
  assert.match(none.err, /write the command behind --, as in quark-mon run -- npm ci/)
  const broken = join(root, 'broken.json')
  writeFileSync(broken, '{}')
  const refused = await quarkMon(['run', `--baseline=${broken}`, '--', 'true'])
  assert.match(refused.err, /broken\.json" is no baseline, line 1: it does not begin with/)
  assert.equal((await quarkMon(['run', '--update-baseline', '--', 'true'])).status, 2)
  assert.equal((await quarkMon(['run', '--', join(root, 'nothing-there')])).status, 127)
})

test('a recording has a report, too', async () => {
  const recording = join(root, 'recording')
  await quarkMon(['--record', recording, '-q', '--', 'sh', '-c', 'sh -c "exit 4"; true'])
  const { status, out } = await quarkMon(['run', '--report-format=json', '--replay', recording])
  assert.equal(status, 0)
  const report = JSON.parse(out) as RunReport
  assert.ok(JSON.stringify(report.tree).includes('"exitCode":4'))
})
