import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { makeDirectory } from '../../testing/scenario.js'

const INDEX = JSON.stringify(new URL('../../index.js', import.meta.url).href)
const USUAL = '/sys/kernel/tracing'

let directory = ''
before(() => {
  directory = makeDirectory('tracefs')
  mkdirSync(join(directory, 'tracefs'))
})
after(() => {
  rmSync(directory, { recursive: true, force: true })
})

/** Hooks of a queue that was opened after `prepare`, a shell command in a mount namespace of its own, or its error. */
function openAfter(prepare: string): { hooks?: string[]; error?: string } {
  const script = `
import { Quark } from ${INDEX}
try {
  const quark = await Quark.open({ backends: ['kprobe'] })
  console.log(JSON.stringify({ hooks: quark.capabilities.attached.map(({ hook }) => hook) }))
  await quark.close()
} catch (error) {
  console.log(JSON.stringify({ error: error.message }))
}`
  const args = ['-m', 'sh', '-c', `${prepare}\nexec "$@"`, 'sh', process.execPath]
  const { stdout, stderr } = spawnSync('unshare', [...args, '--input-type=module', '-e', script], {
    encoding: 'utf8',
  })
  assert.notEqual(stdout, '', stderr)
  return JSON.parse(stdout) as { hooks?: string[]; error?: string }
}

const UNMOUNT_ALL = `umount -l /sys/kernel/debug 2>/dev/null; umount -l ${USUAL} 2>/dev/null`
const lockdown = '/sys/kernel/security/lockdown'
const isConfidential = existsSync(lockdown) && readFileSync(lockdown, 'latin1').includes('[confidentiality]')
const hasKprobes = existsSync(`${USUAL}/kprobe_events`)
/** What a kernel without kprobe events says instead, wherever its tracefs is. */
const REFUSAL = isConfidential ? /kernel lockdown is "confidentiality"/ : /without CONFIG_KPROBE_EVENTS/

test('without tracefs the kprobe backend says how to mount it', () => {
  const { error } = openAfter(UNMOUNT_ALL)
  const expected = isConfidential
    ? REFUSAL
    : /not mounted at .*\(run: mount -t tracefs tracefs \/sys\/kernel\/tracing\)/
  assert.match(error ?? '', expected)
})

test('tracefs is found wherever it is mounted', () => {
  const { hooks, error } = openAfter(`${UNMOUNT_ALL}; mount -t tracefs none ${directory}/tracefs`)
  if (hasKprobes) assert.ok(hooks?.includes('kprobe/wake_up_new_task'), error)
  else assert.match(error ?? '', REFUSAL)
})

test('a tracefs that is mounted read-only is refused, with what to do', () => {
  const { error } = openAfter(
    `${UNMOUNT_ALL}; mount -t tracefs none ${directory}/tracefs; mount -o remount,bind,ro ${directory}/tracefs`,
  )
  assert.match(
    error ?? '',
    hasKprobes ? /tracefs is mounted read-only: run mount -o remount,rw on it/ : REFUSAL,
  )
})
