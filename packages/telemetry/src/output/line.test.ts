import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { BaseEvent } from '../event/event.js'
import type { EventSpec } from '../event/spec.js'
import { catalogue } from '../kinds/index.js'
import { EVENTS, INIT, KILLED_SHELL, processOf, TIME_NS } from '../kinds/process/testing/processes.js'
import { lineOptions } from '../options/lines.js'
import type { Process } from '../process/process.js'
import { hostileText } from '../testing/hostile-text.js'
import { anyEvent } from '../testing/samples.js'
import { schemaCheck } from '../testing/schema.js'
import { ecsWriter } from './ecs.js'
import { jsonWriter } from './json.js'
import { DEFAULT_LINE_BYTES, RELATIVE_TEXT_BYTES, REPEATED_LINE_BYTES, REPEATED_LIST_BYTES } from './line.js'
import { CONTEXT, flatten, parse, related, valueAt } from './testing/ecs.js'
import { dumpWriter } from './dump.js'
import { textWriter } from './text.js'
import type { LineWriter } from './writer.js'

const { min: MIN_BYTES, max: MAX_BYTES } = lineOptions.maxLineBytes
const checkSchema = schemaCheck(catalogue)

/** Every writer, with a check of its lines. */
const formats: readonly {
  readonly name: string
  readonly writer: (maxBytes: number) => LineWriter<BaseEvent>
  readonly check: (line: string) => void
  readonly isFlagged: (line: string) => boolean
}[] = [
  {
    name: 'text',
    writer: (maxBytes) => textWriter(catalogue, CONTEXT, maxBytes) as LineWriter<BaseEvent>,
    check: (line) => assert.match(line, /^[^\p{Cc}\p{Cs}\p{Bidi_Control}]+$/u),
    isFlagged: (line) => /[#,] line cut(,|$)/.test(line),
  },
  {
    name: 'dump',
    writer: (maxBytes) => dumpWriter(catalogue, maxBytes) as LineWriter<BaseEvent>,
    check: (text) => {
      const [heading = '', ...lines] = text.split('\n')
      assert.match(heading, /^->\d+( \([A-Z_+]+\))?$/)
      for (const line of lines) assert.match(line, /^ {2}[A-Z]{3,4}\t[^\p{Cc}\p{Cs}\p{Bidi_Control}]+$/u)
    },
    isFlagged: (text) => text.split('\n').includes('  LINE\ttruncated=true'),
  },
  {
    name: 'JSON',
    writer: (maxBytes) => jsonWriter(catalogue, maxBytes),
    check: checkSchema,
    isFlagged: (line) => parse(line)['lineTruncated'] === true,
  },
  ...(['lean', 'full'] as const).map((document) => ({
    name: `${document} ECS`,
    writer: (maxBytes: number) => ecsWriter(catalogue, CONTEXT, { document, maxBytes }),
    check: (line: string) => {
      for (const [, value] of flatten(parse(line))) assert.notEqual(value, null)
    },
    isFlagged: (line: string) => valueAt(parse(line), 'quark.line_truncated') === true,
  })),
]

/** Text of any length up to some kilobytes, of which each unit takes up to eight bytes. */
const longText = fc
  .tuple(
    fc.oneof(hostileText, fc.constantFrom('a', '\u0001', '\ud83d', '\u{1f600}', 'é', '\u202e', '"')),
    fc.nat(3000),
  )
  .map(([text, times]) => text.repeat(Math.min(times, 40_000 / Math.max(1, text.length))))
const longList = fc.oneof(
  fc.array(fc.oneof(hostileText, longText), { maxLength: 12 }),
  fc.tuple(hostileText, fc.nat(5000)).map(([text, count]) => new Array<string>(count).fill(text)),
)

/** Any event whose process has values of any length. */
const longEvent: fc.Arbitrary<BaseEvent> = fc
  .tuple(
    anyEvent,
    fc.record(
      { argv: longList, env: longList, exe: longText, cwd: longText, cgroup: longText, comm: longText },
      { requiredKeys: [] },
    ),
    longText,
  )
  .map(([event, long, filename]) => {
    const { process } = event as { process?: Process }
    const more = event.kind === 'execFailed' ? { filename } : {}
    return process === undefined
      ? { ...event, ...more }
      : { ...event, ...more, process: { ...process, ...long } }
  })

/** Whether it has nothing long that an earlier event does not have. */
function repeats(event: BaseEvent): boolean {
  const spec = (catalogue.events as readonly EventSpec[]).find(({ kind }) => kind === event.kind)
  return spec?.repeats?.(event) === true
}

for (const { name, writer, check, isFlagged } of formats) {
  test(`a line of ${name} is bounded, can be read, is whole if that fits, and else says so`, () => {
    const whole = writer(MAX_BYTES)
    fc.assert(
      fc.property(
        longEvent.filter(({ kind }) => !name.endsWith('ECS') || kind !== 'raw'),
        fc.array(longEvent, { maxLength: 3 }),
        fc.oneof(fc.integer({ min: MIN_BYTES, max: 200_000 }), fc.constant(MIN_BYTES)),
        (event, others, maxBytes) => {
          const processes = others.flatMap(({ process }: BaseEvent & { process?: Process }) => process ?? [])
          const complete = related(
            event,
            processes.map((process, pid) => ({ ...process, pid })),
          )
          const bounded = writer(maxBytes)
          const expected = whole(complete)
          const line = bounded(complete)
          if (repeats(event)) {
            assert.ok(Buffer.byteLength(line) <= REPEATED_LINE_BYTES)
            check(line)
            assert.equal(line, expected)
            return
          }
          const fits = Buffer.byteLength(expected) <= maxBytes
          assert.ok(Buffer.byteLength(line) <= maxBytes, `${Buffer.byteLength(line)} > ${maxBytes}`)
          check(line)
          assert.equal(line === expected, fits)
          assert.equal(isFlagged(line), !fits)
          assert.equal(bounded.truncatedLines, fits ? 0 : 1)
          // What is cut makes use of the room that it has.
          if (!fits)
            assert.ok(Buffer.byteLength(line) > maxBytes - maxBytes / 4, `${Buffer.byteLength(line)}`)
          // Nothing of it is left in the next line.
          const [next] = EVENTS
          if (next !== undefined) assert.equal(bounded(next), whole(next))
        },
      ),
      { numRuns: 200 },
    )
    assert.equal(whole.truncatedLines, 0)
  })

  test(`a line of ${name} that repeats what an earlier one has is short, and says so`, () => {
    const failed = EVENTS.find(({ kind }) => kind === 'execFailed')
    assert.ok(failed !== undefined)
    const filename = `/${'f'.repeat(1000)}`
    const process = { ...KILLED_SHELL, argv: ['sh', '-c', 'x'.repeat(100_000)] }
    const event = Object.assign({ ...failed, process }, { filename })
    const line = writer(DEFAULT_LINE_BYTES)(related(event, []))
    check(line)
    assert.ok(line.includes(filename), 'what it alone has is whole')
    const longest = Math.max(0, ...(line.match(/x+/g) ?? []).map(({ length }) => length))
    assert.ok(longest <= REPEATED_LIST_BYTES, `${longest}`)
    // Text shows no arguments of it.
    assert.equal(isFlagged(line), name !== 'text')
  })

  test(`the least bound of ${name} is enough for all that is not cut`, () => {
    const writers = writer(MIN_BYTES)
    for (const [at, event] of EVENTS.entries()) {
      const { process } = event
      const all = 0xffffffffffffffffn
      const huge = {
        ...KILLED_SHELL,
        ...process,
        argv: new Array<string>(20_000).fill('\u0001'),
        env: new Array<string>(20_000).fill('\u202e'),
        exe: '\u0001'.repeat(4096),
        cwd: '\u0001'.repeat(4096),
        root: '\u0001'.repeat(4096),
        cgroup: '\u0001'.repeat(4096),
        comm: '\u0001'.repeat(15),
        capInheritable: all,
        capPermitted: all,
        capEffective: all,
        capBounding: all,
        capAmbient: all,
        sid: 1,
      }
      // Of a failed exec text has nothing else that is long.
      const failed = event.kind === 'execFailed' ? { filename: '\u0001'.repeat(20_000) } : {}
      const line = writers(
        related({ ...event, ...failed, process: huge }, [{ ...huge, pid: 1, ppid: 1, pgid: 1 }]),
      )
      assert.ok(Buffer.byteLength(line) <= MIN_BYTES, `${event.kind}: ${Buffer.byteLength(line)}`)
      assert.ok(isFlagged(line))
      assert.equal(writers.truncatedLines, at + 1)
    }
  })
}

const FULL = {
  'argv of a million empty arguments': { argv: new Array<string>(1_000_000).fill('') },
  'an argument of 128 kB that JSON makes six times as long': { argv: ['\u0001'.repeat(131_072)] },
  'an environment of 4 MB': { env: ['A='.padEnd(4 << 20, '\u202e')] },
}

for (const { name, writer } of formats) {
  for (const [what, values] of Object.entries(FULL)) {
    // A dump has the size of an environment only.
    if (name === 'dump' && 'env' in values) continue
    test(`${name} writes ${what} without building more than the bound`, () => {
      let reads = 0
      const countReads = (texts: readonly string[]): readonly string[] =>
        new Proxy(texts, {
          get: (target, key, receiver): unknown => {
            reads += 1
            return Reflect.get(target, key, receiver)
          },
        })
      const counted = Object.fromEntries(
        Object.entries(values).map(([key, texts]) => [key, countReads(texts)]),
      )
      const event = { kind: 'snapshot', timeNs: TIME_NS, process: { ...KILLED_SHELL, ...counted } }
      const write = writer(MIN_BYTES)
      const written = encodedUnits(() => write(event))
      assert.equal(write.truncatedLines, 1)
      assert.ok(written < 24 * MIN_BYTES, `${written} units were encoded`)
      assert.ok(reads < 24 * MIN_BYTES, `${reads} arguments were read`)
    })
  }
}

/** How many UTF-16 units were replaced or measured meanwhile. */
function encodedUnits(run: () => unknown): number {
  let units = 0
  // oxlint-disable-next-line unbound-method -- put back below
  const { byteLength } = Buffer
  Buffer.byteLength = (text: string) => {
    units += text.length
    return byteLength(text)
  }
  try {
    run()
  } finally {
    Buffer.byteLength = byteLength
  }
  return units
}

test('the longest values are cut, all to the same length, and the others are whole', () => {
  const process = {
    ...KILLED_SHELL,
    argv: ['a'.repeat(50_000)],
    env: ['b'.repeat(90_000)],
    cwd: 'c'.repeat(4000),
  }
  const event = { kind: 'snapshot', timeNs: TIME_NS, process }
  const line = jsonWriter(catalogue, 40_000)(event)
  const { argv, env, cwd } = parse(line)['process'] as { argv: string[]; env: string[]; cwd: string }
  assert.equal(cwd, process.cwd)
  assert.equal(argv[0]?.length, env[0]?.length)
  assert.ok(
    Buffer.byteLength(line) > 39_900 && Buffer.byteLength(line) <= 40_000,
    `${Buffer.byteLength(line)}`,
  )
})

test('bytes of a raw event are cut to valid Base64', () => {
  const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => i & 255)
  const write = jsonWriter(catalogue, MIN_BYTES)
  const line = write({ kind: 'raw', timeNs: TIME_NS, name: 'exec', bytes } as BaseEvent)
  const text = parse(line)['bytes'] as string
  const kept = Buffer.from(text, 'base64')
  assert.equal(kept.toString('base64'), text)
  assert.ok(kept.equals(bytes.subarray(0, kept.length)) && kept.length > 12_000)
  assert.equal(write.truncatedLines, 1)
})

test('ECS does not repeat the argv of a relative, and bounds and flags its command line', () => {
  const argv = ['/tmp/spawner', 'a'.repeat(64_000), 'b'.repeat(64_000)]
  const spawner = processOf({ pid: 1, ppid: 1, pgid: 1, sid: 1, comm: 'spawner', exe: '/tmp/spawner', argv })
  const child = processOf({ pid: 9, ppid: 1, pgid: 1, sid: 1, argv: ['true', 'tiny'] })
  const write = ecsWriter(catalogue, CONTEXT, { document: 'full' })
  const event: BaseEvent & { process: Process } = { kind: 'snapshot', timeNs: TIME_NS, process: child }
  // The second line is made of what the first one kept.
  for (const line of [write(related(event, [spawner])), write(related(event, [spawner]))]) {
    assert.ok(line.length < 6000, `${line.length}`)
    const document = parse(line)
    for (const place of ['process.parent', 'process.group_leader', 'process.session_leader']) {
      assert.equal(valueAt(document, `${place}.executable`), '/tmp/spawner')
      assert.equal(valueAt(document, `${place}.args`), undefined)
      assert.equal(valueAt(document, `${place}.args_count`), 3)
      const command = valueAt(document, `${place}.command_line`) as string
      assert.ok(argv.join(' ').startsWith(command))
      assert.equal(JSON.stringify(command).length, RELATIVE_TEXT_BYTES)
    }
    assert.equal(valueAt(document, 'quark.relatives_truncated'), true)
    assert.equal(valueAt(document, 'quark.line_truncated'), undefined)
  }
  assert.equal(write.truncatedLines, 0)

  // Of the leader's own events only what it shows of itself as a relative is cut.
  const own = parse(write(related({ ...event, process: spawner }, [spawner])))
  assert.deepEqual(valueAt(own, 'process.args'), argv)
  assert.equal(valueAt(own, 'process.command_line'), argv.join(' '))
  assert.ok((valueAt(own, 'process.session_leader.command_line') as string).length < RELATIVE_TEXT_BYTES)
  assert.equal(valueAt(own, 'quark.relatives_truncated'), true)

  const short = parse(write(related({ ...event, process: INIT }, [INIT])))
  assert.equal(valueAt(short, 'process.session_leader.command_line'), '/sbin/init splash')
  assert.equal(valueAt(short, 'quark'), undefined)
})

test('ECS has at most a quarter of a line for the host, and flags and counts what is missing', () => {
  const ips = Array.from({ length: 4000 }, (_, i) => `2001:db8::${i.toString(16)}`)
  const host = { ...CONTEXT.host, ips } as NonNullable<typeof CONTEXT.host>
  const write = ecsWriter(catalogue, { ...CONTEXT, host }, { document: 'full', maxBytes: MIN_BYTES })
  for (let lines = 1; lines <= 2; lines++) {
    const process = { ...INIT, argv: ['x'.repeat(MIN_BYTES)] }
    const event = { kind: 'snapshot', timeNs: TIME_NS, process }
    const line = write(event)
    assert.ok(Buffer.byteLength(line) <= MIN_BYTES)
    const document = parse(line)
    const kept = valueAt(document, 'host.ip') as string[]
    assert.deepEqual(kept, ips.slice(0, kept.length))
    assert.ok(kept.length > 50)
    assert.equal(valueAt(document, 'quark.line_truncated'), true)
    assert.equal(write.truncatedLines, lines)
  }
})

test('a lean document has a host of any size by its name and id, and its line is whole', () => {
  const ips = Array.from({ length: 4000 }, (_, i) => `2001:db8::${i.toString(16)}`)
  const host = { ...CONTEXT.host, ips } as NonNullable<typeof CONTEXT.host>
  const write = ecsWriter(catalogue, { ...CONTEXT, host }, { maxBytes: MIN_BYTES })
  const document = parse(write({ kind: 'snapshot', timeNs: TIME_NS, process: INIT } as BaseEvent))
  assert.deepEqual(document['host'], { name: host.hostname, id: host.machineId })
  assert.equal(valueAt(document, 'quark.line_truncated'), undefined)
  assert.equal(write.truncatedLines, 0)
})

test('the bound of a line is that of its option', () => {
  assert.equal(DEFAULT_LINE_BYTES, lineOptions.maxLineBytes.default)
})
