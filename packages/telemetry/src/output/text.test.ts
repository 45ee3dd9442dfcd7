import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import test from 'node:test'
import * as fc from 'fast-check'
import type { BaseEvent } from '../event/event.js'
import { catalogue } from '../kinds/index.js'
import { EVENTS, INIT, processOf, TIME_NS } from '../kinds/process/testing/processes.js'
import type { Process } from '../process/process.js'
import { allSamples, anyEvent } from '../testing/samples.js'
import { matchGolden } from '../testing/golden.js'
import { hostileText } from '../testing/hostile-text.js'
import { columnsOf } from './columns.js'
import { textHeading, type TextOptions, textWriter } from './text.js'

const users: Readonly<Record<number, string>> = { 0: 'root', 1000: 'ann' }
const textOf = textWriter(catalogue, { userName: (uid) => users[uid] })

/** Text of a process event in UTC. */
function lineOf(
  known: Partial<Process> & Pick<Process, 'pid'>,
  actions: readonly string[] = ['fork', 'exec', 'exit'],
  options: TextOptions = {},
  more: object = {},
): string {
  const event = { kind: 'process', timeNs: TIME_NS, actions, process: processOf(known), ...more }
  return textOf(event, { timeZone: 'UTC', ...options })
}

/** The command and the notes of a line. */
function restOf(line: string): string {
  return line.slice('03:04:05.000 run        9 ann      sh[8]                '.length)
}

for (const { name, folder, golden } of allSamples) {
  test(`textWriter() writes every event of the kind ${name}`, () => {
    matchGolden(
      `${folder}/testdata/events.text.txt`,
      golden.map((event) => `${textOf(event, { timeZone: 'UTC' })}\n`).join(''),
    )
  })
}

const CC = {
  pid: 4242,
  euid: 1000,
  ppid: 4211,
  argv: ['cc', '-c', 'a.c'],
  exitCode: 0,
  exitTimeNs: TIME_NS,
  durationNs: 1_234_567n,
}
const parent = processOf({ pid: 4211, comm: 'bash' })

test('a process that began, executed something and ended is one line', () => {
  assert.equal(
    lineOf(CC, ['fork', 'exec', 'exit'], {}, { relatives: { parent } }),
    '03:04:05.000 run     4242 ann      bash[4211]           cc -c a.c # exit 0, 1.23ms',
  )
  assert.match(lineOf(CC, ['fork', 'exec']), /^\S+ run .* cc -c a\.c$/)
  assert.match(lineOf(CC, ['fork', 'exit']), /^\S+ fork .* # exit 0, 1\.23ms$/)
  assert.match(lineOf(CC, ['fork']), /^\S+ fork [^#]*$/)
  assert.match(lineOf(CC, ['exec']), /^\S+ exec /)
  assert.match(lineOf(CC, ['exit']), /^\S+ exit .* # exit 0/)
  assert.match(lineOf(CC, ['commChange']), /^\S+ name /)
})

test('how it ended is said in words', () => {
  const ended = (known: Partial<Process>): string | undefined =>
    lineOf({ ...CC, exitCode: undefined, durationNs: undefined, ...known }).split(' # ')[1]
  assert.equal(ended({ exitCode: 3 }), 'exit 3')
  assert.equal(ended({ exitSignal: 9 }), 'killed by SIGKILL')
  assert.equal(ended({ exitSignal: 11, coreDumped: true }), 'killed by SIGSEGV, core dumped')
  assert.equal(ended({ exitSignal: 35 }), 'killed by signal 35')
  const killed = { exitSignal: 9, durationNs: 1_234_567n }
  const by = { by: 'process', pid: 123, uid: 0, comm: 'bash' } as const
  assert.equal(ended({ ...killed, killer: by }), 'killed by SIGKILL from bash[123], 1.23ms')
  assert.equal(
    ended({ ...killed, killer: { ...by, comm: 'a b' } }),
    "killed by SIGKILL from 'a b'[123], 1.23ms",
  )
  assert.equal(
    ended({ ...killed, killer: { ...by, comm: undefined } }),
    'killed by SIGKILL from pid 123, 1.23ms',
  )
  const memory = { by: 'oomKiller', pid: undefined, uid: undefined, comm: undefined } as const
  assert.equal(ended({ ...killed, killer: memory }), 'killed by SIGKILL from the OOM killer, 1.23ms')
  // A fault, or a terminal: the signal says it.
  assert.equal(ended({ ...killed, killer: { ...memory, by: 'kernel' } }), 'killed by SIGKILL, 1.23ms')
  assert.equal(ended({}), undefined)
})

test('a duration is shown only if the start is exact', () => {
  const { durationNs } = CC
  assert.match(lineOf({ ...CC, durationNs }), /1\.23ms$/)
  assert.doesNotMatch(lineOf({ ...CC, durationNs, entityIdCoarse: true }), /ms/)
  // The id is coarse, as this kernel cannot do better for others, but the start was seen.
  assert.match(lineOf({ ...CC, durationNs, entityIdCoarse: true, uniqueEntityId: 'x' }), /1\.23ms$/)
})

test('changes of ids are shown as before and after', () => {
  const changed = (change: object): string | undefined =>
    lineOf(CC, ['idChange'], {}, { idChange: change }).split(' # ')[1]
  const to = { sid: 1, uid: 0, euid: 0, suid: 0, gid: 5, egid: 5, sgid: 5 }
  assert.equal(
    changed({ changed: ['uid'], from: { uid: 1000, euid: 0, suid: 7 }, to }),
    'uid 1000→0, suid 7→0',
  )
  assert.equal(changed({ changed: ['gid'], from: {}, to }), 'gid ?→5, egid ?→5, sgid ?→5')
  // Only what was called, and at least that it was.
  assert.equal(changed({ changed: ['uid'], from: to, to }), 'uid 0→0')
  assert.match(
    lineOf(CC, ['idChange'], { ascii: true }, { idChange: { changed: ['sid'], from: { sid: 2 }, to } }),
    /sid 2->1/,
  )
})

test('container and cgroup are shown when they are not the usual ones', () => {
  const id = '3f2a9c0e7d41b86510c2f7aa9e5d3b7c61f04e2a8d9b7350e1c6f4a2d8b90717'
  const placed = (cgroup: string, ofParent: string): string | undefined =>
    lineOf(
      { ...CC, cgroup },
      ['fork', 'exec'],
      {},
      { relatives: { parent: { ...parent, cgroup: ofParent } } },
    ).split(' # ')[1]
  assert.equal(placed('/a', '/a'), undefined)
  assert.equal(placed('/system.slice/cron.service', '/init.scope'), 'cgroup /system.slice/cron.service')
  assert.equal(placed(`/system.slice/docker-${id}.scope`, '/'), 'container 3f2a9c0e7d41')
  assert.equal(placed('/lxc.payload.web', '/lxc.payload.web'), 'container web')
})

test('a program that hides behind another name is shown', () => {
  const program = (known: Partial<Process>): string | undefined =>
    lineOf({ pid: 1, ...known }, ['exec']).split(' # ')[1]
  assert.equal(program({ argv: ['[kworker/0:1]'], comm: 'nc', exe: '/tmp/nc' }), 'exe /tmp/nc')
  assert.equal(program({ argv: ['-bash'], comm: 'bash', exe: '/usr/bin/bash' }), undefined)
  assert.equal(program({ argv: ['/bin/sh', '-c', 'x'], comm: 'sh', exe: '/usr/bin/dash' }), undefined)
  assert.equal(
    program({ argv: ['/bin/sh', './configure'], comm: 'configure', exe: '/usr/bin/dash' }),
    undefined,
  )
  assert.equal(program({ argv: ['x'], comm: 'x', exe: 'memfd:x', exeDeleted: true }), 'exe deleted')
  assert.equal(
    program({ argv: ['/opt/a-very-long-program'], comm: 'a-very-long-pro', exe: '/opt/x' }),
    undefined,
  )
})

test('what is unknown is a question mark, and what is not there a dash', () => {
  assert.equal(restOf(lineOf({ pid: 9 })), '?')
  assert.match(lineOf({ pid: 9 }), /^\S+ run {8}9 \? {8}\? {20}\?$/)
  assert.equal(restOf(lineOf({ pid: 9, comm: 'kworker/0:1' })), '[kworker/0:1]')
  assert.equal(restOf(lineOf({ pid: 9, comm: 'a b' })), "['a b']")
  assert.match(lineOf({ pid: 9, ppid: 8, uid: 77 }), / 77 {7}\[8\] /)
  const lost = { kind: 'lost', timeNs: TIME_NS, cause: 'ringFull', count: 1 }
  assert.equal(
    textOf(lost, { timeZone: 'UTC' }),
    '03:04:05.000 lost       - -        -                    1 record: the ring or another queue was full',
  )
})

test('an environment is written behind the notes of what began with it', () => {
  const env = ['LANG=C', 'PS1=$ ']
  assert.match(lineOf({ ...CC, env }, ['exec']), /cc -c a\.c # env LANG=C 'PS1=\$ '$/)
  assert.match(lineOf({ ...CC, env }), /# exit 0, 1\.23ms, env LANG=C 'PS1=\$ '$/)
  // It is that of an earlier event.
  assert.doesNotMatch(lineOf({ ...CC, env }, ['exit']), /LANG/)
  assert.doesNotMatch(lineOf({ ...CC, env: [] }, ['exec']), /env/)
  // A terminal does not cut it: who asks for it wants to see it.
  assert.match(lineOf({ ...CC, env }, ['exec'], { width: 60 }), / # env LANG=C 'PS1=\$ '$/)
})

/** bash, as far as it reads words. */
function wordsOf(command: string): string[] {
  const { stdout } = spawnSync('bash', ['-c', `printf '%s\\0' ${command}`], {
    encoding: 'utf8',
    env: { LC_ALL: 'C.UTF-8' },
  })
  return stdout.split('\0').slice(0, -1)
}

const HOSTILE_WORDS = [
  'ls',
  '',
  ' ',
  "it's",
  "'",
  '$(reboot)',
  '`x`',
  'a\nb',
  '\u001b]0;title\u0007',
  '\u009b31m',
  'abc\u202egpj.exe',
  '\u2066x\u2069',
  'é漢\u{1f600}',
  '\\',
  "\\'\n",
  '#x',
  '~',
  '*',
  'a # exit 0',
  'A=b',
  '=ls',
  '%1',
  '-n',
  '{a,b}',
  '!x',
  '\u00a0',
  '\ufffd',
]

test('a command can be pasted into a shell, with its notes', () => {
  for (const argv of [HOSTILE_WORDS, ...HOSTILE_WORDS.map((word) => [word, 'x'])]) {
    for (const ascii of [false, true]) {
      const rest = restOf(lineOf({ pid: 9, argv, exitCode: 3 }, undefined, { ascii }))
      assert.match(rest, / # exit 3$/)
      assert.deepEqual(wordsOf(rest), argv)
      if (ascii) assert.match(rest, /^[ -~]+$/)
      // oxlint-disable-next-line no-control-regex -- none may be there
      assert.doesNotMatch(rest, /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/)
    }
  }
})

test('bytes that are no text can be pasted, too', () => {
  const argvBytes = Buffer.from('printf\0%s\0a\xff\xe4\0', 'latin1')
  const argv = ['printf', '%s', 'a\ufffd\ufffd']
  for (const ascii of [false, true]) {
    const rest = restOf(lineOf({ pid: 9, argv, argvBytes }, undefined, { ascii }))
    assert.equal(rest, "printf %s $'a\\377\\344'")
    assert.equal(spawnSync('bash', ['-c', rest]).stdout.toString('latin1'), 'a\xff\xe4')
  }
})

test('the first word of a command is nothing else to a shell', () => {
  for (const word of ['A=b', 'while', '!', 'time', '%1', 'x+=1']) {
    assert.match(
      restOf(lineOf({ pid: 9, argv: [word, 'x'] })),
      new RegExp(`^'${word.replace('+', '\\+')}' x$`),
    )
    assert.match(
      restOf(lineOf({ pid: 9, argv: [word, 'y'.repeat(500)] })),
      new RegExp(`^'${word.replace('+', '\\+')}' `),
    )
  }
})

/** Colours are control sequences. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const COLOURS = /\u001b\[[\d;]+m/g

test('textWriter() adds colours and nothing else, and none that one of two grounds hides', () => {
  for (const event of allSamples.flatMap(({ golden }) => golden)) {
    for (const width of [undefined, 20, 47, 80, 160]) {
      const coloured = textOf(event, { colour: true, width })
      assert.equal(coloured.replace(COLOURS, ''), textOf(event, { width }))
      for (const [code] of coloured.matchAll(COLOURS)) {
        // Bold, dim, red, green, magenta, cyan, and back.
        assert.match(code.slice(2, -1), /^(0|1|2|3[1256]|1;31)$/)
      }
    }
    assert.notEqual(textOf(event, { colour: true }), textOf(event))
  }
})

test('textWriter() writes one line that holds no control characters, and fits into its terminal', () => {
  const argv = fc.array(hostileText, { maxLength: 20 })
  const width = fc.oneof(fc.integer({ min: 1, max: 200 }), fc.constant(undefined))
  fc.assert(
    fc.property(anyEvent, argv, width, fc.boolean(), fc.nat(50), (event, words, width, ascii, depth) => {
      const { process } = event as BaseEvent & { process?: Process }
      const given =
        process === undefined ? event : { ...event, process: { ...process, argv: words, env: undefined } }
      const line = textOf(given, { width, ascii, depth })
      assert.match(line, ascii ? /^[ -~]*$/ : /^[^\p{Cc}\p{Cs}\p{Bidi_Control}\u2028\u2029]*$/u)
      if (width !== undefined) assert.ok(columnsOf(line) <= width, `${columnsOf(line)} > ${width}: ${line}`)
    }),
    { numRuns: 500 },
  )
})

test('ten thousand arguments are cut at the width of a terminal, and how it ended is not', () => {
  const argv = ['cc', ...new Array<string>(10_000).fill('file.c')]
  for (const width of [64, 80, 160]) {
    const line = lineOf({ ...CC, argv }, undefined, { width })
    assert.ok(columnsOf(line) === width || columnsOf(line) === width - 1, line)
    assert.match(line, /cc file\.c .*… # exit 0, 1\.23ms$/)
  }
  assert.ok(lineOf({ ...CC, argv }).endsWith('file.c # exit 0, 1.23ms'))
  assert.equal(
    columnsOf(lineOf({ ...CC, argv: ['echo', '漢'.repeat(500)] }, undefined, { width: 81 })) >> 1,
    40,
  )
  assert.match(lineOf({ ...CC, argv }, undefined, { width: 80, ascii: true }), /\.\.\. # exit 0/)
})

test('a narrow terminal has fewer columns, and one of 20 the command', () => {
  const line = (width: number): string =>
    lineOf({ ...CC, ppid: 4211, exitCode: 2 }, undefined, { width }, { relatives: { parent } })
  assert.equal(
    line(112),
    '03:04:05.000 run     4242 ann      bash[4211]           cc -c a.c # exit 2, 1.23ms',
  )
  assert.equal(line(80), '03:04:05.000 run    4242 ann      bash[4211]     cc -c a.c # exit 2, 1.23ms')
  assert.equal(line(59), '03:04:05.000 run    4242 ann      cc -c a.c # exit 2, 1.23…')
  assert.equal(line(40), '03:04:05.000 run    4242 cc -c a.c # ex…')
  assert.equal(line(20), 'run    4242 cc -c a…')
  assert.equal(line(8), 'run    …')
})

test('names that are too long for their column are cut, and the pid of a parent is not', () => {
  const line = lineOf(
    { ...CC, euid: 5 },
    undefined,
    { width: 80 },
    { relatives: { parent: { ...parent, comm: 'containerd-shim' } } },
  )
  assert.match(line, / contain…\[4211\] cc/)
  const long = textWriter(catalogue, { userName: () => 'systemd-network' })
  assert.match(
    long({ ...(EVENTS[0] as BaseEvent), process: { ...INIT, uid: 5 } } as BaseEvent, { width: 80 }),
    / systemd… /,
  )
  assert.match(
    long({ ...(EVENTS[0] as BaseEvent), process: { ...INIT, uid: 5 } } as BaseEvent),
    / systemd-network /,
  )
})

test('a process is drawn under its ancestors, and no tree is too deep', () => {
  const drawn = (depth: number, options: TextOptions = {}): string =>
    restOf(lineOf({ pid: 9, argv: ['cc'] }, undefined, { depth, ...options }))
  assert.equal(drawn(0), 'cc')
  assert.equal(drawn(1), '└ cc')
  assert.equal(drawn(3), '    └ cc')
  assert.equal(drawn(2, { ascii: true }), '  `-cc')
  assert.equal(drawn(1000), drawn(32))
  assert.match(lineOf({ pid: 9, argv: ['cc'] }, undefined, { depth: 1000, width: 80 }), /^.{48,65}└ cc$/)
})

test('times are local, or of the zone that is asked for, and may be of any day', () => {
  const timeOf = (timeNs: bigint, options: TextOptions): string =>
    textOf({ kind: 'snapshot', timeNs, process: INIT } as BaseEvent, options).split(' here')[0] as string
  assert.equal(timeOf(TIME_NS, { timeZone: 'Asia/Kolkata' }), '08:34:05.000')
  assert.equal(timeOf(TIME_NS, { timeZone: 'UTC', date: true }), '2026-01-02 03:04:05.000')
  assert.equal(timeOf(TIME_NS + 999_999_999n - 6n, { timeZone: 'UTC' }), '03:04:05.999')
  assert.equal(timeOf(0n, { timeZone: 'UTC', date: true }), '1970-01-01 00:00:00.000')
  // Clocks that jump: back before 1970, and far ahead.
  assert.equal(timeOf(-1n, { timeZone: 'UTC', date: true }), '1969-12-31 23:59:59.999')
  assert.match(timeOf(0xffffffffffffffffn, { timeZone: 'UTC', date: true }), /^2554-07-21 \d\d:34:33\.709$/)
  const local = new Date(Number(TIME_NS / 1_000_000n))
  assert.equal(timeOf(TIME_NS, {}), `${local.toTimeString().slice(0, 8)}.000`)
  // A summer time ends: the same local time comes twice.
  const end = 1_792_890_000_000_000_000n
  assert.deepEqual(
    [end - 1n, end].map((timeNs) => timeOf(timeNs, { timeZone: 'Europe/Berlin' })),
    ['02:59:59.999', '02:00:00.000'],
  )
  assert.throws(() => timeOf(TIME_NS, { timeZone: 'Nowhere/Land' }), RangeError)
})

test('a heading stands over its columns, whatever the width', () => {
  for (const width of [undefined, 160, 80, 60, 45]) {
    const heading = textHeading(TIME_NS, { timeZone: 'UTC', width })
    const line = lineOf({ ...CC, argv: ['COMMAND'] }, undefined, { width })
    assert.equal(heading.indexOf('COMMAND'), line.indexOf('COMMAND'), `${width}`)
    assert.ok(heading.startsWith('2026-01-02 '))
    assert.ok(width === undefined || columnsOf(heading) <= width)
  }
  assert.equal(textHeading(TIME_NS, { timeZone: 'UTC', width: 20 }), 'WHAT    PID COMMAND ')
  const dated = { timeZone: 'UTC', date: true }
  assert.equal(textHeading(TIME_NS, dated).indexOf('WHAT'), lineOf(CC, undefined, dated).indexOf('run'))
  assert.equal(textHeading(TIME_NS, { colour: true }).replace(COLOURS, ''), textHeading(TIME_NS))
})

test('a name cannot pass for another column or note', () => {
  const line = lineOf(
    { ...CC, cgroup: '/x, exit 0' },
    undefined,
    {},
    { relatives: { parent: { ...parent, comm: 'x[1] rm', cgroup: '/' } } },
  )
  assert.match(line, / 'x\[1\] rm'\[4211\] +cc .* cgroup '\/x, exit 0'$/)
})

test('a kind without a text has its name and its pid', () => {
  const kind = { kind: 'odd', doc: 'odd', subject: () => 7, fields: {} }
  assert.match(textWriter({ events: [kind] })({ kind: 'odd', timeNs: TIME_NS }), /^\S+ odd {8}7 - /)
})

test('every note has a text for the docs, and an example that looks like it', () => {
  for (const { text, kind } of catalogue.events) {
    for (const { label, doc, example } of text?.notes ?? []) {
      assert.ok(example.startsWith(label), `${kind}: ${example}`)
      assert.doesNotMatch(doc, /\.$/)
    }
    for (const word of Object.keys(text?.words ?? {})) assert.ok(word.length <= 4, word)
  }
})
