import assert from 'node:assert/strict'
import test from 'node:test'
import * as fc from 'fast-check'
import { libraryOptions } from './library-options.js'
import { OPTIONS } from 'quark-telemetry'
import { optionName } from './option.js'
import { TABLE } from './options.js'
import { parseCommandLine, UsageError } from './parse.js'
import { defaultSettings, type Settings } from './settings.js'

const { options, missing: missingOptions } = TABLE

function settingsOf(...args: string[]): Settings {
  const invocation = parseCommandLine(args)
  assert.equal(invocation.show, 'events')
  return invocation.show === 'events' ? invocation.settings : assert.fail()
}

function messageOf(...args: string[]): string {
  try {
    parseCommandLine(args)
  } catch (error) {
    assert.ok(error instanceof UsageError, String(error))
    return error.message
  }
  return assert.fail(`accepted ${args.join(' ')}`)
}

test('parseCommandLine() without arguments gives the defaults', () => {
  assert.deepEqual(settingsOf(), defaultSettings())
})

test('parseCommandLine() sets what each option says', async (t) => {
  const cases: { args: string[]; changes: Partial<Omit<Settings, 'quark'>>; quark?: Settings['quark'] }[] = [
    { args: ['-b'], changes: {}, quark: { backends: ['ebpf'] } },
    { args: ['-k'], changes: {}, quark: { backends: ['kprobe'] } },
    { args: ['-bk'], changes: {}, quark: { backends: ['ebpf', 'kprobe'] } },
    { args: ['--backend', 'ebpf'], changes: {}, quark: { backends: ['ebpf'] } },
    {
      args: ['--backend=procConnector,ebpf'],
      changes: {},
      quark: { backends: ['procConnector', 'ebpf'] },
    },
    { args: ['-B'], changes: {}, quark: { bypass: true } },
    { args: ['-C', 'table.dot'], changes: { processGraph: 'table.dot' } },
    { args: ['--wait', '--tree-of=1'], changes: { waits: true }, quark: { where: { treeOf: [1] } } },
    { args: ['--as=root', '--', 'true', '-x'], changes: { commandUser: 'root', command: ['true', '-x'] } },
    { args: ['--all'], changes: {}, quark: { all: true } },
    { args: ['-r', 'x'], changes: { ruleset: 'x' } },
    { args: ['--rules=x'], changes: { ruleset: 'x' } },
    {
      args: [
        '--replay=r',
        '--report=x',
        '--report-format=json',
        '--baseline=b',
        '--update-baseline',
        '--require-complete',
        '--trace=t',
      ],
      changes: {
        replay: ['r'],
        commandReport: {
          path: 'x',
          format: 'json',
          baseline: 'b',
          updatesBaseline: true,
          requiresComplete: true,
          trace: 't',
        },
      },
    },
    { args: ['--strict'], changes: { strict: true } },
    { args: ['--summary'], changes: { summary: {} }, quark: { usage: true } },
    { args: ['--summary=30s'], changes: { summary: { everyMs: 30_000 } }, quark: { usage: true } },
    { args: ['--truncate', '-o', 'x'], changes: { truncate: true, output: 'x' } },
    {
      args: ['-o', 'x', '--rotate-size=1M', '--rotate-age=1h', '--rotate-keep=3', '--rotate-total=9M'],
      changes: {
        output: 'x',
        rotation: { sizeBytes: 2 ** 20, ageMs: 3_600_000, keep: 3, totalBytes: 9 * 2 ** 20 },
      },
    },
    { args: ['--ecs-form=full'], changes: { format: 'ecs', ecs: { form: 'full' } } },
    { args: ['-D'], changes: { dropPrivileges: true } },
    { args: ['-E'], changes: { format: 'ecs' } },
    { args: ['-E', '--max-line=64K'], changes: { format: 'ecs', lines: { maxLineBytes: 65_536 } } },
    { args: ['-j'], changes: { format: 'json' } },
    { args: ['--text'], changes: { format: 'text' } },
    { args: ['--tree'], changes: { tree: true } },
    { args: ['--dump'], changes: { format: 'dump' } },
    { args: ['-g'], changes: {}, quark: { aggregation: 'minimal' } },
    { args: ['--no-aggregation'], changes: {}, quark: { aggregation: 'none' } },
    { args: ['-l', '500'], changes: {}, quark: { maxLength: 500 } },
    { args: ['-m100'], changes: { bufferGraph: 100 }, quark: { snapshot: false } },
    { args: ['-M'], changes: { benchmark: true }, quark: { snapshot: false } },
    { args: ['-P', '1'], changes: {}, quark: { where: { ppid: [1] } } },
    { args: ['--ppid=1,2', '-P3'], changes: {}, quark: { where: { ppid: [1, 2, 3] } } },
    { args: ['--tree-of=1'], changes: {}, quark: { where: { treeOf: [1] } } },
    { args: ['-u', 'root,1000'], changes: {}, quark: { where: { user: ['root', 1000] } } },
    { args: ['--uid=0-999,2000-'], changes: {}, quark: { where: { uid: ['0-999', '2000-'] } } },
    { args: ['--comm=a,b', '--comm=[!x]*'], changes: {}, quark: { where: { comm: ['a,b', '[!x]*'] } } },
    {
      args: ['--exe=/usr/**', '--cwd=tmp'],
      changes: {},
      quark: { where: { exe: ['/usr/**'], cwd: ['tmp'] } },
    },
    { args: ['--cgroup=/a'], changes: {}, quark: { where: { cgroup: ['/a'] } } },
    { args: ['--port=80,8000-8999'], changes: {}, quark: { where: { port: [80, '8000-8999'] } } },
    {
      args: ['--host=10.0.0.0/8, ::1', '--host=*.example.org'],
      changes: {},
      quark: { where: { host: ['10.0.0.0/8', '::1', '*.example.org'] } },
    },
    { args: ['--dns-name=*.example.org'], changes: {}, quark: { where: { dnsName: ['*.example.org'] } } },
    { args: ['--container-users'], changes: {}, quark: { containerUsers: true } },
    { args: ['--executables'], changes: {}, quark: { executables: true } },
    {
      args: ['--packages', '--max-hash-bytes=1M', '--hash-rate=2M', '--max-executables=100'],
      changes: {},
      quark: {
        packages: true,
        maxHashBytes: 2 ** 20,
        hashBytesPerSecond: 2 ** 21,
        maxExecutables: 100,
      },
    },
    { args: ['--container=0123abcd'], changes: {}, quark: { where: { container: ['0123abcd'] } } },
    { args: ['--event=process,snapshot'], changes: {}, quark: { where: { event: ['process', 'snapshot'] } } },
    { args: ['--action=exec'], changes: {}, quark: { where: { action: ['exec'] } } },
    { args: ['--ruleset=r'], changes: { ruleset: 'r' } },
    { args: ['--rules=r'], changes: { ruleset: 'r' } },
    {
      args: [
        '--report=r',
        '--report-format=json',
        '--baseline=b',
        '--update-baseline',
        '--require-complete',
        '--trace=t',
        '--replay=x',
      ],
      changes: {
        replay: ['x'],
        commandReport: {
          path: 'r',
          format: 'json',
          baseline: 'b',
          updatesBaseline: true,
          requiresComplete: true,
          trace: 't',
        },
      },
    },
    { args: ['--failed'], changes: {}, quark: { where: { failed: true } } },
    { args: ['--longer-than=1.5s'], changes: {}, quark: { where: { longerThanMs: 1500 } } },
    { args: ['--longer-than=200ms'], changes: {}, quark: { where: { longerThanMs: 200 } } },
    {
      args: ['--replay=r', '--failed', '--exclude-tree=1'],
      changes: { replay: ['r'] },
      quark: { where: { failed: true }, excludePids: [1] },
    },
    { args: ['--exclude-tree=1,2', '--exclude-tree=3'], changes: {}, quark: { excludePids: [1, 2, 3] } },
    { args: ['-S'], changes: {}, quark: { sockets: true } },
    { args: ['--sock-conn'], changes: {}, quark: { sockets: true } },
    { args: ['--max-sockets=512'], changes: {}, quark: { maxSockets: 512 } },
    { args: ['-s'], changes: {}, quark: { snapshot: false } },
    { args: ['--snapshot'], changes: {}, quark: { snapshot: true } },
    { args: ['-t'], changes: {}, quark: { threads: true } },
    { args: ['-vv'], changes: { verbosity: 2 } },
    { args: ['-q'], changes: { quiet: true } },
    { args: ['--env'], changes: {}, quark: { maxEnvBytes: 32_768 } },
    { args: ['--env=1K'], changes: {}, quark: { maxEnvBytes: 1024 } },
    { args: ['--max-argv=4K'], changes: {}, quark: { maxArgvBytes: 4096 } },
    { args: ['--usage'], changes: {}, quark: { usage: true } },
    { args: ['--failed-execs'], changes: {}, quark: { failedExecs: true } },
    { args: ['--kernel-threads'], changes: {}, quark: { kernelThreads: true } },
    { args: ['--hold', '0'], changes: {}, quark: { holdMs: 0 } },
    { args: ['--grace', '10'], changes: {}, quark: { graceMs: 10 } },
    { args: ['--grace=10s'], changes: {}, quark: { graceMs: 10_000 } },
    { args: ['--ring-size=1M'], changes: {}, quark: { ringSizeBytes: 1_048_576 } },
    { args: ['--max-buffer=1M'], changes: {}, quark: { maxBufferBytes: 1_048_576 } },
    { args: ['--max-processes=99'], changes: {}, quark: { maxProcesses: 99 } },
    { args: ['--record', 'r'], changes: {}, quark: { record: 'r' } },
    { args: ['--replay', 'r'], changes: { replay: ['r'] } },
    { args: ['--btf', 'f'], changes: {}, quark: { btf: 'f' } },
    { args: ['--poll', '5'], changes: {}, quark: { pollMs: 5 } },
    { args: ['--count', '3'], changes: { count: 3 } },
    { args: ['--duration', '1.5'], changes: { durationMs: 1500 } },
    { args: ['--duration=5m'], changes: { durationMs: 300_000 } },
    { args: ['-o', '-x'.slice(1)], changes: { output: 'x' } },
    { args: ['--output=-x'], changes: { output: '-x' } },
    { args: ['-o', 'x', '-o', '-'], changes: { isToStandardOutput: true } },
    { args: ['--replay', '-'], changes: { replay: ['-'] } },
    { args: ['--metrics=9464'], changes: { metrics: { host: '127.0.0.1', port: 9464 } } },
    { args: ['--colour=never'], changes: { colour: 'never' } },
    { args: ['-e'], changes: {} },
    { args: ['--entry-leader'], changes: {} },
    { args: ['--process-sockets'], changes: {}, quark: { processSockets: 16 } },
    { args: ['--process-sockets=3'], changes: {}, quark: { processSockets: 3 } },
    { args: ['--ancestors'], changes: {}, quark: { ancestors: 16 } },
    { args: ['--ancestors=3'], changes: {}, quark: { ancestors: 3 } },
    { args: ['-stvl7'], changes: { verbosity: 1 }, quark: { snapshot: false, threads: true, maxLength: 7 } },
    { args: ['-l', '5', '-l', '6'], changes: {}, quark: { maxLength: 6 } },
  ]
  for (const { args, changes, quark } of cases) {
    await t.test(args.join(' '), () => {
      const expected = { ...defaultSettings(), ...changes, quark: { ...quark } }
      assert.deepEqual(settingsOf(...args), expected)
    })
  }
  const tested = new Set(cases.flatMap(({ args }) => args.map((arg) => arg.replace(/=.*/, ''))))
  // Those that follow from declarations of the library are tested by their types, in library-options.test.ts.
  const declared = new Set(libraryOptions(OPTIONS).map(({ long }) => long))
  const untested = options.filter(
    ({ long, short }) =>
      !declared.has(long) &&
      !tested.has(`--${long}`) &&
      ![...tested].some((arg) => /^-[a-zA-Z]/.test(arg) && short !== undefined && arg.includes(short)),
  )
  assert.deepEqual(untested.map(optionName), ['--version', '--help'])
})

test('parseCommandLine() asks for help and version whatever else is given', () => {
  for (const args of [['-h'], ['--help'], ['help'], ['-E', '-j', '--help'], ['--nonsense', '-h']]) {
    assert.deepEqual(parseCommandLine(args), { show: 'help' })
  }
  for (const args of [['-V'], ['--version'], ['-E', '-j', '-V']]) {
    assert.deepEqual(parseCommandLine(args), { show: 'version' })
  }
})

test('parseCommandLine() says what is wrong and what to give instead', async (t) => {
  const cases: [string[], string][] = [
    [['--jsn'], 'Unknown option "--jsn": did you mean --json?'],
    [['--max-lenght=5'], 'Unknown option "--max-lenght": did you mean --max-length?'],
    [['--color=never'], 'Unknown option "--color": did you mean --colour?'],
    [['--xyzzy'], 'Unknown option "--xyzzy": see quark-mon --help'],
    [['-z'], 'Unknown option "-z": see quark-mon --help'],
    [['-bz'], 'Unknown option "-z": see quark-mon --help'],
    [['--\u001b[2J'], 'Unknown option "--\\x1b[2J": see quark-mon --help'],
    [['ps'], 'Unexpected argument "ps": write -- in front of a command, as in quark-mon -- ps'],
    [['-s', 'a b'], 'Unexpected argument "a b": write -- in front of a command, as in quark-mon -- "a b"'],
    [['doctr'], 'Unexpected argument "doctr": did you mean quark-mon doctor?'],
    [['-s', 'help'], 'Unexpected argument "help": did you mean quark-mon help?'],
    [['--durations=5'], 'Unknown option "--durations": did you mean --duration?'],
    [['-l'], '-l needs a value: give -l N'],
    [['--btf', '--json'], '--btf needs a value, and "--json" looks like an option: give --btf=FILE'],
    [['-l', '-5'], '-l needs a value, and "-5" looks like an option: give --max-length=N'],
    [['--json=yes'], '--json takes no value: remove "=yes"'],
    [['-l', 'many'], '-l cannot be "many": give a whole number from 1 to 10000000'],
    [['--count', '0'], '--count cannot be "0": give a whole number of 1 or more'],
    [['-m', '0'], '-m cannot be "0": give a whole number from 1 to 2000000'],
    [['-m', '2000001', '-l', '3000000'], '-m cannot be "2000001": give a whole number from 1 to 2000000'],
    [
      ['--ring-size=2G'],
      '--ring-size cannot be "2G": give a number of bytes from 4K to 1G, such as 64K, 2M or 1G',
    ],
    [['--ring-size=3M'], '--ring-size cannot be "3M": give a power of two, such as 2M or 4M'],
    [['--backend=nova'], '--backend cannot be "nova": give ebpf or kprobe or audit or procConnector'],
    [
      ['--backend=ebfp'],
      '--backend cannot be "ebfp": give ebpf or kprobe or audit or procConnector; did you mean ebpf?',
    ],
    [['--colour=alway'], '--colour cannot be "alway": give auto or always or never; did you mean always?'],
    [
      ['--duration=5w'],
      '--duration cannot be "5w": give a time from 1ms to 24d, such as 500ms, 10s or 5m; a number alone is seconds',
    ],
    [
      ['--hold=2h'],
      '--hold cannot be "2h": give a time from 0ms to 1h, such as 500ms, 10s or 5m; a number alone is milliseconds',
    ],
    [['--colour=red'], '--colour cannot be "red": give auto or always or never'],
    [['--all', '--replay=x'], '--replay and --all contradict each other: give one of them'],
    [['--port=90-80'], '--port cannot be "90-80": no port is in it: give 80-90'],
    [['--host=[::1]:443'], '--host cannot be "[::1]:443": give ::1, and 443 as the port'],
    [['--hosts=::1'], 'Unknown option "--hosts": did you mean --host?'],
    [['-C', ''], '-C cannot be "": give the name of a file'],
    [
      ['-n'],
      '-n cannot be used: there is no NOVA backend: the backend eBPF decides rules in the kernel where it can, and quark-mon rules explain FILE says where (remove -n)',
    ],
    [
      ['-m', '20000'],
      '--buffer-graph cannot hold 20000 records when --max-length is 10000: give --max-length 20000 or more',
    ],
    [
      ['-o', 'f', '--rotate-size=1'],
      '--rotate-size cannot be "1": give a number of bytes from 1K, such as 500K, 100M or 2G',
    ],
    [
      ['-o', 'f', '--rotate-age=soon'],
      '--rotate-age cannot be "soon": give a time from 1s, such as 500ms, 10s or 5m; a number alone is seconds',
    ],
    [['--rotate-age=1h'], '--rotate-age needs a file: give -o FILE'],
    [
      ['-o', 'f', '--rotate-keep=3'],
      '--rotate-keep has no effect: give --rotate-size, --rotate-age or --rotate-total too',
    ],
    [
      ['-o', 'f', '-D', '--rotate-total=1G'],
      '--rotate-total cannot be used with -D: without privileges files cannot be renamed (remove -D, or let logrotate ' +
        'rotate the file with copytruncate)',
    ],
    [
      ['-o', 'f', '--rotate-size=2M', '--rotate-total=1M'],
      '--rotate-size cannot be more than --rotate-total: give a smaller one',
    ],
    [
      ['-m', '11', '-l', '10'],
      '--buffer-graph cannot hold 11 records when --max-length is 10: give --max-length 11 or more',
    ],
  ]
  for (const [args, message] of cases) {
    await t.test(args.join(' '), () => assert.equal(messageOf(...args), message))
  }
})

test('parseCommandLine() refuses options that contradict each other, in either order', async (t) => {
  const values: Record<string, string> = {
    '-C': 'f',
    '-l': '5',
    '-m': '5',
    '-P': '1',
    '--exclude-tree': '1',
    '--replay': 'f',
    '--record': 'g',
  }
  const pairs: [string, string[]][] = [
    ['-E', ['-j', '--dump', '--text', '--tree']],
    ['--dump', ['-j', '--text', '--tree']],
    ['--snapshot', ['-s', '-B', '-M', '-m']],
    ['-B', ['-C', '-E', '-g', '-l', '-m', '-P', '-t', '-j', '-M', '--tree']],
    ['--replay', ['--record', '-D', '-b', '-B']],
    ['-g', ['--no-aggregation']],
    ['-M', ['-j', '-E', '-m']],
    ['-m', ['-P', '--failed', '--exclude-tree']],
    ['-v', ['-q']],
  ]
  for (const [one, others] of pairs) {
    for (const other of others) {
      await t.test(`${one} ${other}`, () => {
        const withValue = (name: string): string[] =>
          values[name] === undefined ? [name] : [name, values[name]]
        for (const args of [
          [...withValue(one), ...withValue(other)],
          [...withValue(other), ...withValue(one)],
        ]) {
          assert.match(messageOf(...args), / contradict each other: give one of them$/)
        }
      })
    }
  }
})

test('a letter with an optional argument stands alone, among others, or before its value', () => {
  const filesOf = (...args: string[]): unknown => {
    const invocation = parseCommandLine(args)
    return invocation.show === 'events' && invocation.settings.quark.files
  }
  const everywhere = filesOf('--file')
  for (const args of [['-F'], ['-sF'], ['-Fs'], ['-vFE'], ['-F', '-l', '5'], ['-Fl', '5']]) {
    assert.deepEqual(filesOf(...args), everywhere, args.join(' '))
  }
  assert.deepEqual(filesOf('-F/etc,/home'), filesOf('--file=/etc,/home'))
  assert.deepEqual(filesOf('-F=/etc,/home'), filesOf('--file=/etc,/home'))
})

test('every option of the C tool is either there or refused by name', () => {
  for (const letter of 'BbCDEeFGgHhKkLlMmNnPrSsTtVv') {
    assert.ok(
      [...options, ...missingOptions].some(({ short }) => short === letter),
      letter,
    )
  }
  for (const { short, long, argument } of missingOptions) {
    for (const name of [`-${short}`, `--${long}`]) {
      assert.match(messageOf(name, ...(argument === undefined ? [] : ['x'])), / cannot be used: /)
    }
  }
})

test('names are unique, and contradictions name options that exist', () => {
  const all = [...options, ...missingOptions]
  const names = all.flatMap(({ long, short }) => (short === undefined ? [long] : [long, short]))
  assert.equal(new Set(names).size, names.length)
  const longs = new Set(options.map(({ long }) => long))
  for (const { conflicts = [] } of options) {
    assert.deepEqual(
      conflicts.filter((name) => !longs.has(name)),
      [],
    )
  }
})

test('parseCommandLine() never fails otherwise than by a UsageError', () => {
  const word = fc.oneof(
    fc.constantFrom(...options.map(optionName), '-bDM', '--', '-', '-m', '5', '--env'),
    fc.string({ unit: 'binary' }),
  )
  fc.assert(
    fc.property(fc.array(word, { maxLength: 5 }), (args) => {
      try {
        parseCommandLine(args)
      } catch (error) {
        assert.ok(error instanceof UsageError, String(error))
      }
    }),
  )
})

test('--ecs-form asks for ECS, and for no other format', () => {
  const read = parseCommandLine(['--ecs-form=full'])
  assert.ok(read.show === 'events')
  assert.deepEqual([read.settings.format, read.settings.ecs], ['ecs', { form: 'full' }])
  for (const other of ['--json', '--text', '--tree', '--dump']) {
    assert.throws(() => parseCommandLine([other, '--ecs-form=full']), /contradict each other/)
  }
  assert.throws(() => parseCommandLine(['--ecs-form=fat']), /give lean or full/)
})

test('-s is accepted with every format and mode, and by a replay', () => {
  for (const mode of ['--text', '--tree', '--dump', '-j', '-E', '-M', '-m5', '-B', '--replay=f', '-q']) {
    assert.equal(settingsOf('-s', mode).quark.snapshot, false, mode)
  }
})
