/**
 * `quark-mon -- make -j2` of a tree of many compilations: whether all processes that were created were seen, whether the
 * status is passed on, and how much longer it takes than make alone.
 *   node bench/make.mjs [--files=2000] [--rounds=5] [--busy=2] [--write]
 *
 * Needs root, make, and cc; without a compiler, a stand-in of three processes for each file. `--write` writes
 * bench/make.md.
 */
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { childrenCpuMs, median, quantile, rotated } from './measure.mjs'
import { makeDirectory } from './programs.mjs'
import { table } from './report.mjs'

const QUARK_MON = fileURLToPath(new URL('../packages/mon/bin/quark-mon.cjs', import.meta.url))
const RESULT = fileURLToPath(new URL('make.md', import.meta.url))
const SENTENCE =
  /quark-mon: ([\d,]+) process(?:es)? created in \S+, and (?:(all) seen|([\d,]+) of them seen); (.*)/
/** What make ends with when a recipe fails. */
const FAILED = 2

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '2000' },
    rounds: { type: 'string', default: '5' },
    busy: { type: 'string', default: '2' },
    write: { type: 'boolean', default: false },
  },
})
const files = Number(values.files)
const rounds = Number(values.rounds)
const busy = Number(values.busy)

const compiler = spawnSync('cc', ['--version'], { encoding: 'utf8' }).stdout?.split('\n')[0]
const recipe = compiler === undefined ? `sh -c 'cat $< | sort > $@' && test -s $@` : 'cc -c $< -o $@'

/** Files in folders of a hundred, of some lines each, and a Makefile. */
function plant(directory) {
  const objects = []
  for (let i = 0; i < files; i += 1) {
    const folder = `part${Math.floor(i / 100)}`
    if (i % 100 === 0) mkdirSync(join(directory, folder))
    const lines = Array.from(
      { length: 3 },
      (_, line) => `int f${i}_${line}(int a, int b) { return a * ${line} + (b ? f(b - 1) : ${i}); }`,
    )
    writeFileSync(join(directory, folder, `f${i}.c`), `int f(int);\n${lines.join('\n')}\n`)
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
  const command = ['make', '-j2', '-C', directory, target]
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
  return { status, stderr, wallMs: performance.now() - beginMs, cpuMs: childrenCpuMs() - cpuMs }
}

const percent = (ratio) => `${ratio >= 1 ? '+' : ''}${((ratio - 1) * 100).toFixed(1)} %`
const spread = (ratios) =>
  `${percent(median(ratios))} (${percent(quantile(ratios, 0.25))} … ${percent(quantile(ratios, 0.75))})`

const directory = makeDirectory()
const loops = Array.from({ length: busy }, () =>
  spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }),
)
try {
  plant(directory)
  const variants = [
    { name: 'make alone' },
    { name: 'quark-mon -o FILE', mon: ['-o', join(directory, 'events')] },
    { name: 'quark-mon --summary', mon: ['--summary', '-o', '/dev/null'] },
  ]
  const samples = new Map(variants.map(({ name }) => [name, []]))
  const sentences = []
  for (let round = 0; round < rounds; round += 1) {
    for (const { name, mon } of rotated(variants, round)) {
      const sample = make(directory, 'all', mon)
      if (sample.status !== 0) throw new Error(`${name}: make ended with ${sample.status}: ${sample.stderr}`)
      samples.get(name).push(sample)
      if (mon === undefined) continue
      const sentence = SENTENCE.exec(sample.stderr)
      if (sentence === null) throw new Error(`${name} does not say what it saw: ${sample.stderr}`)
      sentences.push(sentence)
    }
  }
  const broken = make(directory, 'broken', ['-q', '-o', '/dev/null'])
  const alone = samples.get('make alone')
  const rows = variants.map(({ name }) => {
    const own = samples.get(name)
    const ratios = (unit) => own.map((sample, round) => sample[unit] / alone[round][unit])
    const isAlone = own === alone
    return [
      name,
      (median(own.map(({ wallMs }) => wallMs)) / 1000).toFixed(1),
      isAlone ? '' : spread(ratios('wallMs')),
      (median(own.map(({ cpuMs }) => cpuMs)) / 1000).toFixed(1),
      isAlone ? '' : spread(ratios('cpuMs')),
    ]
  })
  const created = sentences.map(([, count]) => Number(count.replaceAll(',', '')))
  const isWhole = sentences.every(([, , all, , rest]) => all === 'all' && rest === 'nothing was lost')
  const text = [
    '# make under quark-mon',
    `Written by \`node bench/make.mjs --files=${files} --rounds=${rounds} --busy=${busy}\` on ${new Date().toISOString().slice(0, 10)}: Linux ${release()}, ` +
      `${cpus().length} CPUs, Node ${process.version}, ${compiler ?? 'no compiler: stand-ins'}. ` +
      `\`make -j2\` of ${files} files while ${busy} other processes keep CPUs busy; medians of ${rounds} rounds, ` +
      'and of the ratios to make alone in the same round, with quartiles. CPU is that of make and of quark-mon together. ' +
      `The load of the machine was ${loadavg()[0].toFixed(1)} at the end.`,
    table(['', 'wall s', 'wall', 'CPU s', 'CPU'], rows),
    `- ${Math.min(...created)} to ${Math.max(...created)} processes were created in each run; in ${isWhole ? 'each' : '**not each**'} of the ` +
      `${sentences.length} runs all were seen, and nothing was lost.`,
    `- A target that fails: make ended with ${FAILED}, quark-mon with ${broken.status}${broken.status === FAILED ? '' : ' **no**'}.`,
    '',
  ].join('\n\n')
  console.log(text)
  if (!isWhole) for (const [sentence] of sentences) console.log(sentence)
  if (values.write) writeFileSync(RESULT, text)
  if (!isWhole || broken.status !== FAILED) process.exitCode = 1
} finally {
  for (const loop of loops) loop.kill()
  rmSync(directory, { recursive: true, force: true })
}
