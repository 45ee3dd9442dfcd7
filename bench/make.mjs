/**
 * `make` of a build with more than 5,000 processes, alone and under quark-mon: whether all processes that were created were
 * seen, whether the status is passed on, and how much longer it takes than make alone, in pairs of the same run. Then the same
 * while others keep starting processes that do not belong to it.
 *   node bench/make.mjs [--files=1700] [--rounds=5] [--busy=2] [--jobs=4] [--functions=3] [--write]
 *
 * `--functions` is how many a file has; from 10 on it also includes headers, and is optimised, as files of programs are. Needs root, make, and cc; without a compiler, a stand-in of three processes for each file. `--busy` is how many loops start
 * unrelated processes, one after the other. `--write` writes bench/make.md.
 */
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { childrenCpuMs, median, quantile, rotated } from './measure.mjs'
import { makeDirectory } from './programs.mjs'
import { table } from './report.mjs'
import { compiler, HEADERS, sourceOf } from './sources.mjs'

const QUARK_MON = fileURLToPath(new URL('../packages/mon/bin/quark-mon.cjs', import.meta.url))
const RESULT = fileURLToPath(new URL('make.md', import.meta.url))
/** What make ends with when a recipe fails. */
const FAILED = 2

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '1700' },
    rounds: { type: 'string', default: '5' },
    busy: { type: 'string', default: '2' },
    jobs: { type: 'string', default: '4' },
    functions: { type: 'string', default: '3' },
    write: { type: 'boolean', default: false },
  },
})
const files = Number(values.files)
const rounds = Number(values.rounds)
const busy = Number(values.busy)
const jobs = Number(values.jobs)
const functions = Number(values.functions)
const isUsual = functions >= 10

const recipe =
  compiler === undefined
    ? `sh -c 'cat $< | sort > $@' && test -s $@`
    : `cc${isUsual ? ' -O2' : ''} -c $< -o $@`
/** Files in folders of a hundred, of some lines each, and a Makefile. */
function plant(directory) {
  const objects = []
  for (let i = 0; i < files; i += 1) {
    const folder = `part${Math.floor(i / 100)}`
    if (i % 100 === 0) mkdirSync(join(directory, folder))
    writeFileSync(join(directory, folder, `f${i}.c`), sourceOf(i, functions, isUsual))
    objects.push(`${folder}/f${i}.o`)
  }
  writeFileSync(
    join(directory, 'Makefile'),
    [
      `all: ${objects.join(' ')}`,
      `broken:`,
      `\t@false`,
      `%.o: %.c`,
      `\t@${recipe}`,
      `clean:`,
      `\t@rm -f part*/*.o`,
      '',
    ].join('\n'),
  )
}

/** Runs make to its end, under quark-mon if there are arguments for it. */
function make(directory, target, mon) {
  const timesFile = join(directory, 'times')
  const script = `make -j${jobs} -C '${directory}' ${target}; status=$?; times >'${timesFile}'; exit $status`
  const command = ['sh', '-c', script]
  const [file, ...args] =
    mon === undefined ? command : [process.execPath, QUARK_MON, ...mon, '--', ...command]
  spawnSync('make', ['-C', directory, 'clean'])
  const cpuMs = childrenCpuMs()
  const beginMs = performance.now()
  const { status, stderr } = spawnSync(file, args, {
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const wallMs = performance.now() - beginMs
  const allMs = childrenCpuMs() - cpuMs
  return { status, stderr, wallMs, cpuMs: allMs, ownMs: allMs - cpuOfMakeMs(readFileSync(timesFile, 'utf8')) }
}

/** What sh(1) says of its children, in its second line: `0m1.20s 0m0.30s`. */
function cpuOfMakeMs(times) {
  const [user = '', system = ''] = times.trim().split('\n').at(-1).split(' ')
  const toMs = (text) => {
    const [, minutes, seconds] = /^(\d+)m([\d.]+)s$/.exec(text)
    return (Number(minutes) * 60 + Number(seconds)) * 1000
  }
  return toMs(user) + toMs(system)
}

const percent = (ratio) => `${ratio >= 1 ? '+' : ''}${((ratio - 1) * 100).toFixed(1)} %`
const spread = (ratios) =>
  `${percent(median(ratios))} (${percent(quantile(ratios, 0.25))} … ${percent(quantile(ratios, 0.75))})`

const directory = makeDirectory()
const reportFile = join(directory, 'report.json')
const variants = [
  { name: 'make alone' },
  { name: 'quark-mon -o FILE', mon: ['-o', join(directory, 'events'), '--truncate'], proofOf: sentenceOf },
  {
    name: 'quark-mon run',
    mon: ['run', `--report=${reportFile}`],
    proofOf: () => JSON.parse(readFileSync(reportFile, 'utf8')),
  },
]

/** What the last sentence on standard error says of a run, in the form of a report. */
function sentenceOf(stderr) {
  const [, created, all, seen, rest] =
    /quark-mon: ([\d,]+) process(?:es)? created in \S+, and (?:(all) seen|([\d,]+) of them seen); (.*)/.exec(
      stderr,
    ) ?? []
  if (created === undefined) throw new Error(`It does not say how many processes were created: ${stderr}`)
  const count = (text) => Number(text.replaceAll(',', ''))
  const processes = { created: count(created), seen: count(all === undefined ? seen : created) }
  return { processes, missing: rest === 'nothing was lost' ? [] : [rest] }
}

/** All variants in each round, and the reports of those that make one. */
function measure() {
  const samples = new Map(variants.map(({ name }) => [name, []]))
  const reports = []
  for (let round = 0; round < rounds; round += 1) {
    for (const { name, mon, proofOf } of rotated(variants, round)) {
      const sample = make(directory, 'all', mon)
      if (sample.status !== 0) throw new Error(`${name}: make ended with ${sample.status}: ${sample.stderr}`)
      samples.get(name).push(sample)
      if (proofOf !== undefined) reports.push({ name, ...proofOf(sample.stderr) })
    }
  }
  return { samples, reports }
}

/** A row for each variant. */
function rowsOf(samples, place) {
  const alone = samples.get('make alone')
  return variants.map(({ name }) => {
    const own = samples.get(name)
    const ratios = (unit) => own.map((sample, round) => sample[unit] / alone[round][unit])
    const seconds = (unit) => (median(own.map((sample) => sample[unit])) / 1000).toFixed(1)
    const isAlone = own === alone
    return [
      place,
      name,
      seconds('wallMs'),
      isAlone ? '' : spread(ratios('wallMs')),
      seconds('cpuMs'),
      isAlone ? '' : spread(ratios('cpuMs')),
      isAlone ? '' : seconds('ownMs'),
      isAlone
        ? ''
        : `${(median(own.map(({ ownMs }, round) => ownMs / alone[round].cpuMs)) * 100).toFixed(1)} %`,
    ]
  })
}

plant(directory)
const loops = []
try {
  const quiet = measure()
  // In a group of its own, so that the processes that it starts end with it.
  for (let i = 0; i < busy; i += 1) {
    const endless = 'while :; do /bin/true; done'
    loops.push(spawn('sh', ['-c', endless], { stdio: 'ignore', detached: true }))
  }
  const crowded = measure()
  const reports = [...quiet.reports, ...crowded.reports]
  const broken = make(directory, 'broken', ['run', `--report=${reportFile}`])
  const created = reports.map(({ processes }) => processes.created)
  const unseen = reports.filter(({ processes }) => processes.created !== processes.seen).length
  const gaps = new Set(reports.flatMap(({ name, missing }) => missing.map((what) => `${name}: ${what}`)))
  const text = [
    '# make under quark-mon',
    `Written by \`node bench/make.mjs --files=${files} --rounds=${rounds} --busy=${busy} --jobs=${jobs} --functions=${functions} --write\` on ${new Date().toISOString().slice(0, 10)}: Linux ${release()}, ` +
      `${cpus().length} CPUs, Node ${process.version}, ${compiler ?? 'no compiler: stand-ins'}. ` +
      `\`make -j${jobs}\` of ${files} files of ${isUsual ? `${functions} functions and ${HEADERS.length} headers, optimised` : `${functions + 1} lines, which is the least that a compiler does for a process`}. ` +
      `Medians of ${rounds} rounds, and of the ratios to make alone in the same round, with quartiles. Wall time is from the start ` +
      'of quark-mon to its end, so it has attaching and the report; CPU is that of make and of quark-mon together. The machine ' +
      `is busy with ${busy} loops that start processes outside of the build. Its load was ${loadavg()[0].toFixed(1)} at the end.`,
    table(
      ['machine', '', 'wall s', 'wall', 'CPU s', 'CPU', 'of it quark-mon, s', 'share of make alone'],
      [...rowsOf(quiet.samples, 'quiet'), ...rowsOf(crowded.samples, 'busy')],
    ),
    `- ${Math.min(...created)} to ${Math.max(...created)} processes were created in each run; ` +
      `${unseen === 0 ? `in each of the ${reports.length} runs all were seen` : `in **${unseen}** of the ${reports.length} runs not all were seen`}. ` +
      (gaps.size === 0 ? 'No record was lost.' : `Reports said: ${[...gaps].join('; ')}.`),
    `- A target that fails: make ended with ${FAILED}, quark-mon with ${broken.status}${broken.status === FAILED ? '' : ' **no**'}.`,
    '',
  ].join('\n\n')
  console.log(text)
  if (values.write) writeFileSync(RESULT, text)
  if (unseen > 0 || broken.status !== FAILED) process.exitCode = 1
} finally {
  for (const { pid } of loops) process.kill(-pid, 'SIGKILL')
  rmSync(directory, { recursive: true, force: true })
}
