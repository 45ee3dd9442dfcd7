import assert from 'node:assert/strict'
import test from 'node:test'
import { OptionError, OPTIONS, type OptionSpecs, Quark } from 'quark-telemetry'
import { helpText } from './help.js'
import { commandName, inCommandWords } from './library-options.js'
import { manPage } from './man.js'
import { optionTable, TABLE } from './options.js'
import { parseCommandLine, UsageError } from './parse.js'
import { lossText } from './report.js'
import { statsOf } from './testing/fakes.js'

/** What a kind declares whose letter is refused without it. */
const podOptions = {
  pods: {
    type: 'flag',
    default: false,
    command: { group: 'watch', long: 'nova', short: 'n', help: 'also show files that are opened' },
  },
  maxNameBytes: {
    type: 'bytes',
    default: 4096,
    min: 16,
    max: 65_536,
    isPowerOfTwo: true,
    notWithBypass: true,
    command: {
      group: 'watch',
      long: 'max-name',
      after: 'nova',
      argument: 'BYTES',
      help: 'cut names of files at this size',
      more: 'Longer names are counted.',
    },
  },
  rememberMs: {
    type: 'ms',
    default: 50,
    min: 0,
    max: 1000,
    isRecorded: true,
    command: { group: 'buffer', long: 'remember', argument: 'TIME', help: 'remember files for this long' },
  },
  modes: {
    type: 'list',
    default: ['read'],
    words: ['read', 'write'],
    item: 'mode',
    command: [
      { group: 'watch', long: 'modes', argument: 'LIST', help: 'show files that are opened in these modes' },
      { group: 'watch', long: 'writes', help: 'also show files that are opened for writing', adds: 'write' },
    ],
  },
} as const satisfies OptionSpecs

const specs: OptionSpecs = { ...OPTIONS, ...podOptions }
const table = optionTable(specs)

function quarkOptions(...args: string[]): unknown {
  const read = parseCommandLine(args, table)
  return read.show === 'events' ? read.settings.quark : assert.fail()
}

function refusal(...args: string[]): string {
  try {
    parseCommandLine(args, table)
  } catch (error) {
    if (error instanceof UsageError) return error.message
    throw error
  }
  return assert.fail(`accepted ${args.join(' ')}`)
}

test('an option that a kind declares is read from the command line by its type', () => {
  assert.deepEqual(quarkOptions('-n'), { pods: true })
  assert.deepEqual(quarkOptions('--nova', '--max-name=8K', '--remember', '7'), {
    pods: true,
    maxNameBytes: 8192,
    rememberMs: 7,
  })
  assert.deepEqual(quarkOptions('--modes=write,read'), { modes: ['write', 'read'] })
  assert.deepEqual(quarkOptions('--writes'), { modes: ['write'] })
  assert.equal(
    refusal('--max-name=1M'),
    '--max-name cannot be "1M": give a number of bytes from 16 to 64K, such as 64K, 2M or 1G',
  )
  assert.equal(
    refusal('--max-name=5000'),
    '--max-name cannot be "5000": give a power of two, such as 4K or 8K',
  )
  assert.equal(refusal('--modes=run'), '--modes cannot be "run": give read or write')
  assert.equal(refusal('--max-nam=5'), 'Unknown option "--max-nam": did you mean --max-name?')
})

test('it contradicts a replay unless a recording keeps it, and bypass if it has no meaning then', () => {
  assert.match(refusal('-n', '--replay=x'), /contradict each other/)
  assert.match(refusal('-B', '--max-name=8K'), /contradict each other/)
  const read = parseCommandLine(['--remember=5', '--replay=x'], table)
  assert.equal(read.show, 'events')
  assert.deepEqual(quarkOptions('-B', '-n'), { bypass: true, pods: true })
})

test('it is in the help text and in the manual page', () => {
  assert.match(
    helpText(80, table),
    /^ {2}-n, --nova {14}also show files that are opened\n {6}--max-name=BYTES {4}cut names of files at this size \(default: 4K\)$/m,
  )
  assert.match(
    manPage(table),
    /^\.It Fl n , Fl \\-nova\nAlso show files that are opened\.\n\.It Fl \\-max\\-name Ns = Ns Ar BYTES\nCut names of files at this size\.\nDefault: 4K\.\nLonger names are counted\.$/m,
  )
})

test('what a kind brings is refused no more', () => {
  assert.ok(TABLE.missing.some(({ short }) => short === 'n'))
  assert.deepEqual(
    table.missing.map(({ short }) => short),
    TABLE.missing.map(({ short }) => short).filter((short) => short !== 'n'),
  )
  assert.doesNotMatch(helpText(80, table), /not supported yet: .*-n/)
  assert.doesNotMatch(manPage(table), /asking Kubernetes/)
  assert.throws(
    () => parseCommandLine(['-n']),
    /there is no NOVA backend: .* quark-mon rules explain FILE says where/,
  )
})

test('a loss in the table of a kind names the option that would have prevented it', () => {
  const limits = [
    { kind: 'file', counter: 'cut', text: 'names were cut', option: 'maxNameBytes' },
    { kind: 'file', counter: 'odd', text: 'files had no name', reason: 'they were deleted' },
  ]
  const stats = statsOf({ tables: { file: { cut: 3, odd: 1 } } })
  assert.equal(
    lossText(stats, {}, { options: specs, limits }),
    'quark-mon: 3 names were cut: raise --max-name\nquark-mon: 1 files had no name: they were deleted\n',
  )
  assert.equal(commandName(specs, 'backends'), '--backend')
  assert.equal(commandName(specs, 'signal'), undefined)
})

test('defaults and bounds of the options are values that the command line can give', () => {
  for (const { options } of TABLE.groups) {
    for (const { long, argument, withoutArgument, byDefault } of options) {
      for (const value of [withoutArgument, byDefault]) {
        if (argument === undefined || value === undefined || / /.test(value)) continue
        // A report is about a command.
        const command = long.startsWith('report') ? ['--', 'true'] : []
        assert.equal(parseCommandLine([`--${long}=${value}`, ...command]).show, 'events', long)
      }
    }
  }
})

test('errors of the library about options name those of the command', async () => {
  assert.equal(commandName(OPTIONS, 'where.longerThanMs'), '--longer-than')
  assert.equal(commandName(OPTIONS, 'where.other'), undefined)
  assert.equal(commandName(OPTIONS, 'where'), undefined)
  const words = async (opening: Promise<unknown>): Promise<string> => {
    const error = inCommandWords(await opening.catch((error: unknown) => error))
    assert.ok(error instanceof UsageError)
    return error.message
  }
  assert.equal(
    await words(Quark.open({ where: { event: 'thread', user: 'root' } })),
    'No event of thread will be made: set --threads too',
  )
  assert.equal(
    await words(Quark.open({ where: { event: 'listener', port: 80 } })),
    'No event of listener and with a port will be made: set --sockets too',
  )
  assert.match(
    await words(Quark.open({ where: { user: 'no.such.user' } })),
    /^--user: there is no user "no.such.user"/,
  )
  assert.equal(
    await words(Quark.open({ where: { treeOf: 0x7fff_fff0 } })),
    '--tree-of: no process has the pid 2147483632',
  )
  const other = new Error('Option "where.user"')
  assert.equal(inCommandWords(other), other)
  assert.ok(inCommandWords(new OptionError('signal', 'x')) instanceof UsageError)
})
