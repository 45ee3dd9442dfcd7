import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { EventSpec } from '../event/spec.js'
import type { Subject } from './fields.js'
import { compilePattern } from './pattern.js'
import { RuleError, RuleSet } from './rule-set.js'
import { type Known, subjectOf } from './testing/subjects.js'

const parse = (text: string): RuleSet => RuleSet.parse(text, [])

/** What is wrong with a text. */
function problemsOf(text: string): string[] {
  try {
    parse(text)
    return []
  } catch (error) {
    assert.ok(error instanceof RuleError)
    assert.equal(error.code, 'ERR_QUARK_RULES')
    return error.problems.map(({ line, column, message }) => `${line}:${column}: ${message}`)
  }
}

function decide(text: string, subject: Subject): string {
  const { action, tag } = parse(text).match(subject)
  return tag === undefined ? action : `${action} ${tag}`
}

const shell = subjectOf({ pid: 11, ppid: 10, uid: 1000, gid: 100, sid: 5, exe: '/bin/sh', comm: 'sh', realArgv: ['sh', '-c', 'x y'] }) // prettier-ignore

test('the fields and actions of C', () => {
  for (const field of [
    'process.pid 11',
    'process.ppid 10',
    'process.uid 1000',
    'process.gid 100',
    'process.sid 5',
    'process.exe /bin/sh',
    'process.exe /bin/*',
    'process.exe "/bin/sh"',
    'any',
  ]) {
    assert.equal(decide(`drop on ${field}`, shell), 'drop', field)
  }
  for (const field of [
    'process.pid 12',
    'process.uid 0',
    'process.exe /bin/s',
    'process.exe /bin/sh*sh',
    'file.path /x',
    'poison 7',
  ]) {
    assert.equal(decide(`drop on ${field}`, shell), 'pass', field)
  }
  assert.equal(
    decide('drop on process.uid 1000 process.exe /bin/bash', shell),
    'pass',
    'all fields must match',
  )
  assert.equal(decide('pass on process.uid 1000\ndrop on any', shell), 'pass', 'the first decides')
  assert.equal(
    decide('drop on file.path /etc/*', subjectOf(undefined, { kind: 'file', path: '/etc/passwd' })),
    'drop',
  )
})

test('words are those of C', () => {
  assert.equal(decide('drop on process.exe "/bin/s"h', shell), 'drop')
  assert.equal(decide('drop on \\\n process.exe \\\n /bin/sh', shell), 'drop')
  assert.equal(decide('drop on process.exe /bin/sh#comment', shell), 'drop')
  assert.equal(decide('drop on process.exe \\/bin/\\sh # comment', shell), 'drop')
  assert.equal(decide('\n\n  # only a comment\n\t\ndrop on any', shell), 'drop')
  assert.equal(decide('drop on process.pid "11"\r\n', shell), 'drop')
  assert.equal(decide('drop on process.exe "/bin/a b#c\\"d"', subjectOf({ exe: '/bin/a b#c"d' })), 'drop')
  assert.equal(parse('').size, 0)
  assert.equal(parse('# nothing').size, 0)
})

test('a tag is seen by the rules after it, and the last one given stays', () => {
  assert.equal(decide('poison 7 on process.ppid 10\ndrop on poison 7', shell), 'drop 7')
  assert.equal(decide('poison 7 on any\npoison 8 on poison 7\npass on any', shell), 'pass 8')
  assert.equal(decide('poison 0 on any', subjectOf({}, { kind: 'process' }, [], 9n)), 'pass 0')
  assert.equal(decide(`poison ${2n ** 64n - 1n} on any`, shell), `pass ${2n ** 64n - 1n}`)
})

test('the worked example of C, with its counters', () => {
  const rules = parse('poison 7 on process.ppid 10\npass on poison 7\ndrop on any')
  const tags = new Map<number, bigint>()
  const fork = (pid: number, ppid: number): string => {
    const verdict = rules.match(subjectOf({ pid, ppid }, { kind: 'process' }, [], tags.get(ppid) ?? 0n))
    tags.set(pid, verdict.tag ?? tags.get(ppid) ?? 0n)
    return verdict.action
  }
  assert.deepEqual([fork(11, 10), fork(12, 11), fork(13, 99), fork(10, 1)], ['pass', 'pass', 'drop', 'drop'])
  assert.deepEqual(rules.counters().map(({ evals, hits }) => [evals, hits]), [[4, 1], [4, 2], [2, 2]]) // prettier-ignore
})

test('beyond C: or, not, groups, lists, ranges, macros, several stars', () => {
  const yes = [
    'process.uid 0 or process.uid 1000',
    'not process.uid 0',
    '( process.uid 0 or process.gid 100 ) and process.exe /bin/*',
    'process.uid [ 1 2 1000 ]',
    'process.uid 500..1999',
    'process.exe *i*/s*',
    'process.comm sh',
    'process.arg -c',
    'process.command "sh -c*"',
    'event.kind process',
    'not ( process.uid 0 or process.uid 1 )',
  ]
  for (const condition of yes) assert.equal(decide(`drop on ${condition}`, shell), 'drop', condition)
  const no = ['process.uid 0 or process.uid 1', 'not process.uid 1000', 'process.uid 1001..1999', 'process.exe *h*h', 'not not process.uid 1'] // prettier-ignore
  for (const condition of no) assert.equal(decide(`drop on ${condition}`, shell), 'pass', condition)
  const text =
    'list shells = /bin/sh /bin/bash\nmacro user = process.uid 1000..1999 or \\\n process.uid 7\ndrop on $user process.exe [ $shells /bin/zsh ]'
  assert.equal(decide(text, shell), 'drop')
  assert.equal(decide('list a = 1 1000\nlist b = $a 5\ndrop on process.uid $b', shell), 'drop')
  assert.equal(decide('warn on any', shell), 'warn')
  assert.equal(decide('fail on any', shell), 'fail')
})

test('ancestors, events and addresses', () => {
  const child = subjectOf({}, { kind: 'process', actions: ['fork', 'exec'] }, [
    { pid: 5, exe: '/bin/sh' },
    { pid: 1, exe: '/init' },
  ])
  assert.equal(decide('drop on ancestor.exe /init', child), 'drop')
  assert.equal(decide('drop on ancestor.pid 2', child), 'pass')
  assert.equal(decide('drop on event.action exec', child), 'drop')
  assert.equal(decide('drop on event.action exit', child), 'pass')
})

test('what is not known does not match, neither behind "not"', () => {
  const unknown = subjectOf({ uid: undefined, exe: undefined })
  assert.equal(decide('drop on process.exe *', unknown), 'pass')
  assert.equal(decide('drop on not process.exe /bin/sh', unknown), 'pass')
  assert.equal(decide('drop on not process.exe /bin/sh', subjectOf(undefined)), 'pass')
  assert.equal(decide('drop on process.pid 7 or process.exe /x', unknown), 'drop')
  assert.equal(decide('drop on not ( process.pid 8 and process.exe /x )', unknown), 'drop')
})

test('an argument of a recording whose secret is gone cannot be decided', () => {
  const known = subjectOf({ realArgv: ['tool', '--password=[REDACTED:0123456789ab]'] })
  const redacted: Subject = { ...known, gone: { isAsked: false } }
  assert.equal(decide('drop on process.arg --password=x', redacted), 'pass')
  assert.equal(decide('drop on not process.arg --password=x', redacted), 'pass')
  assert.equal(decide('drop on process.arg tool', redacted), 'drop')
  const path = { kind: 'file', path: '/tmp/[REDACTED:0123456789ab]' }
  const file: Subject = { ...subjectOf(undefined, path), gone: { isAsked: false } }
  assert.equal(decide('drop on not file.path /tmp/x', file), 'pass')
  // Live, such an argument is what somebody has written.
  assert.equal(decide('drop on not process.arg --password=x', known), 'drop')
})

test('how often a rule could not be decided is counted, apart from what is not known for other reasons', () => {
  const rules = parse(
    'drop on not process.arg x\npass on process.exe /x\ndrop on process.arg x and process.pid 8\ndrop on any',
  )
  const gone = { isAsked: false }
  const secret: Subject = { ...subjectOf({ pid: 7, realArgv: ['[REDACTED]'] }), gone }
  const plain: Subject = { ...subjectOf({ pid: 8, realArgv: ['y', 'x'] }), gone }
  for (const subject of [secret, secret, plain]) rules.match(subject)
  assert.deepEqual(
    rules.counters().map(({ evals, hits, undecided }) => [evals, hits, undecided]),
    [
      [3, 0, 2],
      [3, 0, 0],
      // The pid says no.
      [3, 1, 0],
      [2, 2, 0],
    ],
  )
  rules.decide(secret)
  assert.equal(rules.counters()[0]?.undecided, 2)
  rules.resetCounters()
  assert.equal(rules.counters()[0]?.undecided, 0)
})

test('every problem of a text is found at its place', () => {
  const text = [
    'drop on process.exee /x',
    'pass on any',
    'drpo on any',
    'drop process.pid 1',
    'drop on process.pid x',
    'drop on process.pid 4294967296',
    'drop on process.pid 0',
    'poison -1 on any',
    'drop on process.exe',
    'drop on ( process.pid 1',
    'drop on process.pid [ ]',
    'drop on any any',
    'drop on $x',
    'drop on process.uid 5..1',
    'drop on process.exe "/x',
    'list = 1',
    'drop on socket.host 300.1.1.1',
    'drop on',
  ].join('\n')
  assert.deepEqual(problemsOf(text), [
    '1:9: there is no field "process.exee": did you mean "process.exe"?',
    '3:1: there is no action "drpo": did you mean "drop"?',
    '4:6: "on" must stand here, not "process.pid"',
    '5:21: "x" is no number: write digits only',
    '6:21: 4294967296 is too large: the most is 4294967295',
    '7:21: process.pid is never 0',
    '8:8: "-1" is no number: write digits only',
    '9:20: here follows a value of process.exe',
    '10:24: here follows ")"',
    '11:21: there is nothing between the brackets',
    '12:13: nothing can follow here: "any"',
    '13:9: there is no macro "x": define it in a line before: macro x = …',
    '14:21: the range "5..1" is empty: write the smaller number first',
    '15:21: this quote has no end: put a " behind it',
    '16:6: "=" is no name: use letters, digits, "_" and "-"',
    '17:21: "300.1.1.1" is no address: write one such as 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32',
    '18:8: here follows what it is about, such as process.exe',
  ])
})

test('junk is refused, and bounded', () => {
  assert.deepEqual(problemsOf('drop on process.exe /a\0b'), ['1:21: a word cannot have a NUL byte'])
  assert.deepEqual(problemsOf(`drop on process.exe /${'x'.repeat(4096)}`), [
    '1:21: a word has at most 4095 bytes',
  ])
  assert.equal(problemsOf('\u0001\ufffd\n'.repeat(5000)).length, 100)
  assert.equal(problemsOf(`drop on ${'( '.repeat(10_000)}`).length, 1)
  assert.equal(problemsOf(`drop on ${'not '.repeat(10_000)} any`).length, 1)
  assert.equal(problemsOf('drop on any\\').length, 1)
  const many = parse(Array.from({ length: 10_000 }, (_, i) => `drop on process.pid ${i + 100}`).join('\n'))
  assert.equal(many.match(shell).action, 'pass')
  assert.equal(many.size, 10_000)
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => void problemsOf(text)))
})

test('macros do not grow without an end', () => {
  const doubled = Array.from({ length: 40 }, (_, i) => `macro m${i + 1} = $m${i} or $m${i}`)
  const problems = problemsOf(['macro m0 = process.uid 1', ...doubled].join('\n'))
  assert.equal(problems[0], '18:7: it asks for more than 65536 values')
})

test('rules that do nothing are warned of', () => {
  const { warnings } = parse(
    'drop on process.pid 1 process.pid 2\ndrop on process.uid 5\npass on process.uid 5\npass on any\ndrop on process.pid 9',
  )
  assert.deepEqual(
    warnings.map(({ line, message }) => `${line}: ${message}`),
    [
      '1: this rule never matches: a field cannot have two values at once',
      '3: this rule never decides: the one in line 2 asks for the same',
      '5: this rule is never asked: the one in line 4 decides about every event',
    ],
  )
})

test('rules are appended without a text', () => {
  const rules = parse('')
  rules.append({ action: 'drop', fields: { 'process.comm': 'sh', 'process.uid': [1, 1000] } })
  rules.append({ action: { poison: 5n } })
  assert.deepEqual(rules.match(shell), { action: 'drop', rule: 0 })
  assert.deepEqual(rules.match(subjectOf({})), { action: 'pass', tag: 5n })
  assert.deepEqual(
    rules.counters().map(({ text }) => text),
    ['drop on process.comm sh process.uid [ 1 1000 ]', 'poison 5 on any'],
  )
  assert.throws(() => rules.append({ action: 'drop', fields: { 'process.pid': 0 } }), {
    code: 'ERR_QUARK_RULES',
  })
  assert.throws(() => rules.append({ action: 'drop', fields: { x: 0 } }), {
    message: /there is no field "x"/,
  })
})

test('a pattern is what it says', () => {
  const rows: [string, string, boolean][] = [
    ['/bin/*', '/bin/', true], ['/bin/*', '/bin', false], ['*', '', true], ['/a*a', '/aa', true], ['/a*a', '/a', false],
    ['ab*b', 'ab', false], ['a*b*c', 'abc', true], ['a*b*c', 'ac', false], ['a*bc*c', 'abc', false], ['a**c', 'ac', true],
  ] // prettier-ignore
  for (const [pattern, text, matches] of rows)
    assert.equal(compilePattern(pattern)(text), matches, `${pattern} ${text}`)
  const ab = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 })
  fc.assert(
    fc.property(ab, fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 12 }), (pattern, text) => {
      const expected = new RegExp(`^${pattern.replaceAll('*', '[^]*')}$`).test(text)
      assert.equal(compilePattern(pattern)(text), expected)
    }),
  )
})

/** A condition as text, and what it is for a process by the plainest reading. */
interface Meant {
  readonly text: string
  readonly of: (known: Known) => boolean | undefined
}

const field: fc.Arbitrary<Meant> = fc.oneof(
  fc
    .tuple(fc.constantFrom('pid', 'uid', 'sid'), fc.integer({ min: 1, max: 4 }))
    .map(([name, value]): Meant => ({
      text: `process.${name} ${value}`,
      of: (known) => (known[name as 'pid'] === undefined ? undefined : known[name as 'pid'] === value),
    })),
  fc.constantFrom('/bin/sh', '/bin/*', '*').map((value): Meant => ({
    text: `process.exe ${value}`,
    of: ({ exe }) =>
      exe === undefined
        ? undefined
        : value === '*' || exe === value || (value === '/bin/*' && `${exe}`.startsWith('/bin/')),
  })),
)

const condition = fc.letrec<{ any: Meant }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 4 },
    field,
    tie('any').map(({ text, of }): Meant => ({
      text: `not ( ${text} )`,
      of: (known) => {
        const truth = of(known)
        return truth === undefined ? undefined : !truth
      },
    })),
    fc.tuple(tie('any'), tie('any'), fc.constantFrom('and', 'or', '')).map(([a, b, word]): Meant => ({
      text: `( ${a.text} ) ${word} ( ${b.text} )`,
      of: (known) => {
        const truths = [a.of(known), b.of(known)]
        const decides = word === 'or'
        if (truths.includes(decides)) return decides
        return truths.includes(undefined) ? undefined : !decides
      },
    })),
  ),
})).any

test('what rules decide is what they say', () => {
  const some = <T>(values: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
    fc.option(values, { nil: undefined })
  const known = fc.record({
    pid: fc.integer({ min: 1, max: 4 }),
    uid: some(fc.integer({ min: 1, max: 4 })),
    sid: some(fc.integer({ min: 1, max: 4 })),
    exe: some(fc.constantFrom('/bin/sh', '/bin/cat', '/x')),
  })
  fc.assert(
    fc.property(condition, known, ({ text, of }, process) => {
      assert.equal(
        decide(`drop on ${text}`, subjectOf(process)),
        of(process) === true ? 'drop' : 'pass',
        text,
      )
    }),
  )
})

test('rules are explained: what programs leave out, and why they do not', () => {
  const specs: EventSpec[] = []
  const places = (text: string): string[] =>
    RuleSet.parse(text, specs, 'rules', { alone: ['one', 'two'], ended: [] })
      .explain()
      .map(({ place, kinds, reason }) => `${place} ${kinds.join()}: ${reason}`)
  const cases: [text: string, ...expected: RegExp[]][] = [
    ['drop on process.exe /x', /^kernel one,two: .* one and two events/],
    ['drop on event.kind two process.uid 0', /^kernel two: /],
    ['drop on event.kind three', /^user space : records of its events also say/],
    ['drop on file.path /x', /^user space : it asks about file\.path: that is known when/],
    ['drop on ancestor.exe /x', /^user space : .* those change without the process/],
    ['warn on any\ndrop on any', /^user space : what it delivers/, /^user space : the rule in line 1 has/],
    [
      'pass on file.path /x\ndrop on any',
      /^user space/,
      /^user space : the rule in line 1 has to be asked first/,
    ],
    ['pass on file.path /x process.uid 0\ndrop on any', /^user space/, /^kernel one,two/],
    ['pass on event.kind one\ndrop on any', /^user space/, /^kernel two/],
    [
      'poison 1 on process.exe /x\ndrop on poison 1',
      /^kernel : user space gives the tag/,
      /^kernel : .* the tag 1:/,
    ],
    [
      'poison 1 on file.path /x\npass on process.uid 0\ndrop on poison 1',
      /^user space : tags/,
      /^user/,
      /^user space : the rule in line 1/,
    ],
  ]
  for (const [text, ...expected] of cases) {
    for (const [index, one] of places(text).entries()) assert.match(one, expected[index] as RegExp, text)
  }
  const [clauses] = RuleSet.parse('drop on process.uid 0 file.path /x poison 1 event.kind one', specs)
    .explain()
    .map((rule) => rule.clauses.map(({ field, place }) => `${field} ${place}`))
  assert.deepEqual(clauses, [
    'process.uid kernel',
    'file.path user space',
    'poison kernel',
    'event.kind kernel',
  ])
})

test('tags of which all is dropped for ever are found, and no others', () => {
  const closed = (text: string): string[] =>
    [...parse(text).closedTags()].map(([tag, rule]) => `${tag} by ${rule}`)
  assert.deepEqual(closed('poison 1 on process.exe /x\ndrop on poison 1'), ['1 by 1'])
  assert.deepEqual(closed('poison 1 on process.exe /x\ndrop on file.path /y\ndrop on poison [ 1 2 ]'), [
    '1 by 2',
  ])
  assert.deepEqual(closed('poison 1 on process.exe /x\npass on not poison 1\ndrop on any'), ['1 by 2'])
  assert.deepEqual(closed('drop on poison 1\npoison 2 on any\npoison 1 on process.uid 5'), ['1 by 0'])
  for (const text of [
    // Something passes.
    'poison 1 on process.exe /x\npass on file.path /y\ndrop on poison 1',
    'poison 1 on process.exe /x\ndrop on poison 1 event.kind file',
    'poison 1 on process.exe /x\ndrop on poison 1 process.exe /x',
    'poison 1 on process.exe /x\nwarn on process.uid 0\ndrop on any',
    // It may lose the tag.
    'poison 1 on process.exe /x\npoison 0 on process.exe /y\ndrop on poison 1',
    'poison 1 on process.exe /x\npoison 2 on process.exe /y\ndrop on poison 1',
    'poison 0 on any\ndrop on any',
    'drop on poison 1',
  ]) {
    assert.deepEqual(closed(text), [], text)
  }
})
