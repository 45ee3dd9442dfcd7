/** The composite action, as far as it goes without GitHub: its steps are run by bash, as a runner does. */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'

const ACTION = fileURLToPath(new URL('../../../.github/actions/run/action.yml', import.meta.url))
const PACKAGE = fileURLToPath(new URL('..', import.meta.url))

interface Step {
  readonly id?: string
  readonly shell: string
  readonly env: Readonly<Record<string, string>>
  readonly run: string
}

interface Action {
  readonly inputs: Readonly<Record<string, { readonly required?: boolean; readonly default?: string }>>
  readonly outputs: Readonly<Record<string, { readonly value: string }>>
  readonly runs: { readonly using: string; readonly steps: readonly Step[] }
}

// Guests with other kernels have the packages alone, and no bash.
const isHere = existsSync(ACTION) && spawnSync('bash', ['-c', 'true']).status === 0
const OPTIONS = { skip: isHere ? false : 'needs bash, and a checkout' }
const action = (isHere ? parse(readFileSync(ACTION, 'utf8')) : undefined) as Action

const root = mkdtempSync(join(tmpdir(), 'quark-action-'))
chmodSync(root, 0o755)
after(() => rmSync(root, { recursive: true }))

/** A program that stands for another one. */
function standIn(folder: string, name: string, script: string): void {
  writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
}

let runs = 0

interface Ran {
  readonly status: number | null
  readonly out: string
  readonly err: string
  readonly summary: string
  readonly output: string
  /** The arguments of npm. */
  readonly installed: string
  readonly folder: string
}

interface Surroundings {
  /** Whose step it is: root has no sudo. */
  readonly user?: 'root' | 'runner'
  readonly npm?: string
}

/** Runs the steps of the action as a runner does: with expressions replaced, files for results, and `bash -e`. */
function runAction(
  given: Readonly<Record<string, string>>,
  { user = 'root', npm = '' }: Surroundings = {},
): Ran {
  runs += 1
  const folder = join(root, `${runs}`)
  const programs = join(folder, 'bin')
  mkdirSync(programs, { recursive: true })
  const files = { GITHUB_STEP_SUMMARY: join(folder, 'summary'), GITHUB_OUTPUT: join(folder, 'output') }
  for (const path of Object.values(files)) writeFileSync(path, '')
  // What npm does is tested with the tarballs.
  standIn(
    programs,
    'npm',
    `echo "$*" >>"${folder}/installed"; mkdir -p "$3/node_modules"; ln -sfn "${PACKAGE}" "$3/node_modules/quark-mon"; ${npm}`,
  )
  if (user === 'runner') {
    standIn(programs, 'id', '[ "$1" = -u ] && [ $# = 1 ] && echo 1001 || exec /usr/bin/id "$@"')
    standIn(
      programs,
      'sudo',
      '[ "$1" = --preserve-env ] || exit 9; shift; SUDO_UID=1 SUDO_GID=1 SUDO_USER=daemon exec "$@"',
    )
  }
  let result = { status: 0 as number | null, stdout: '', stderr: '' }
  for (const step of action.runs.steps) {
    const env = Object.fromEntries(
      Object.entries(step.env).map(([name, value]) => [name, evaluated(value, given)]),
    )
    const script = join(folder, 'step.sh')
    writeFileSync(script, step.run)
    result = spawnSync('bash', ['--noprofile', '--norc', '-eo', 'pipefail', script], {
      cwd: folder,
      encoding: 'utf8',
      env: {
        ...process.env,
        PATH: `${programs}:${process.env['PATH']}`,
        RUNNER_TEMP: join(folder, 'temp'),
        ...files,
        ...env,
      },
    })
    if (result.status !== 0) break
  }
  const read = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8') : '')
  return {
    status: result.status,
    out: result.stdout,
    err: result.stderr,
    summary: read(files.GITHUB_STEP_SUMMARY),
    output: read(files.GITHUB_OUTPUT),
    installed: read(join(folder, 'installed')),
    folder,
  }
}

function evaluated(value: string, given: Readonly<Record<string, string>>): string {
  return value.replaceAll(/\$\{\{ inputs\.([\w-]+) \}\}/g, (_, name: string) => {
    const input = action.inputs[name]
    assert.ok(input !== undefined, `there is no input ${name}`)
    const known = given[name] ?? input.default
    assert.ok(known !== undefined, `${name} has to be given`)
    return known
  })
}

test(
  'the action is one that a runner takes: each input is used, and none of them becomes a part of a script',
  OPTIONS,
  () => {
    assert.equal(action.runs.using, 'composite')
    const values = action.runs.steps.flatMap(({ env }) => Object.values(env)).join('\n')
    for (const name of Object.keys(action.inputs)) assert.ok(values.includes(`\${{ inputs.${name} }}`), name)
    for (const step of action.runs.steps) {
      assert.equal(step.shell, 'bash')
      assert.ok(!step.run.includes('${{'), 'a command could then end the script and begin another one')
      assert.equal(spawnSync('bash', ['-n'], { input: step.run }).status, 0)
    }
    const ids = action.runs.steps.map(({ id }) => id)
    for (const { value } of Object.values(action.outputs)) {
      const [, id] = /^\$\{\{ steps\.(\w+)\.outputs\.\w+ \}\}$/.exec(value) ?? []
      assert.ok(ids.includes(id), value)
    }
  },
)

test('the report is in the summary of the job, and its path is an output', OPTIONS, () => {
  const { status, out, err, summary, output, installed, folder } = runAction({
    run: `echo "it's" "$HOME" | cat; echo x > /tmp/quark-action-$$`,
    version: 'quark-mon@0.1.0',
  })
  assert.equal(status, 0, err)
  assert.match(out, /^it's \//m)
  assert.match(summary, /^## `sh -c .*`: exit 0, /)
  assert.match(summary, /cat/)
  assert.equal(output, `report=${folder}/temp/quark-mon/report.md\n`)
  assert.equal(
    installed,
    `install --prefix ${folder}/temp/quark-mon --no-audit --no-fund --ignore-scripts quark-mon@0.1.0\n`,
  )
})

test('the command runs as the user of the step, and its status is that of the step', OPTIONS, () => {
  const { status, out, summary } = runAction({ run: 'id -un; exit 7', version: 'x' }, { user: 'runner' })
  assert.equal(status, 7)
  assert.match(out, /^daemon$/m)
  assert.match(summary, /\b7\b/)
})

test('new behaviour fails the step, and is in the summary', OPTIONS, () => {
  const baseline = join(root, 'known.baseline')
  const given = { version: 'x', baseline, 'require-complete': 'true' }
  const first = runAction({ ...given, run: 'true' })
  assert.equal(first.status, 0, first.err)
  assert.equal(runAction({ ...given, run: 'true' }).status, 0)
  const second = runAction({ ...given, run: '/bin/sh -c "exec uname"' })
  assert.equal(second.status, 5, second.err)
  assert.match(second.summary, /uname/)
})

test('what cannot be installed, or cannot be run, fails', OPTIONS, () => {
  const none = runAction({ run: 'echo never', version: 'none' }, { npm: 'exit 3' })
  assert.deepEqual([none.status, none.summary, none.out.includes('never')], [3, '', false])
  const broken = runAction({ run: 'no-such-command', version: 'x' })
  assert.equal(broken.status, 127)
  assert.match(broken.summary, /127/)
})
