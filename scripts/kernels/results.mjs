/** What the console of a guest reports about its tests. */

/** The test that runs the scenario through each backend: its file, and what its name begins with. */
const SCENARIOS = {
  ebpf: ['/dist/scenario.kernel.test.js', 'every process of the scenario'],
  kprobe: ['/kprobe/scenario.kernel.test.js', 'every process of the scenario'],
  procConnector: ['/proc-connector/proc-connector.kernel.test.js', 'what it reports of the scenario'],
  audit: ['/audit/audit.kernel.test.js', 'what it reports of the scenario'],
}

/** Enough for an assertion and its stack; the log has the rest. */
const MAX_EXPLANATION_LINES = 60

/**
 * Counts tests. A file that reported nothing, ended badly without a failed test, or was not reached is a failure: a
 * guest that stops early must not look as if it had passed.
 */
export function readRun(said, files) {
  const lines = said.split('\n').filter((line) => line.startsWith('@@'))
  const values = (marker) =>
    lines.filter((line) => line.startsWith(`@@${marker} `)).map((line) => line.slice(marker.length + 3))
  const failures = values('fail')
  const ends = new Map(
    values('end').map((line) => [line.slice(line.indexOf(' ') + 1), Number(line.split(' ')[0])]),
  )
  const reported = [...values('pass'), ...failures, ...values('skip')]
  for (const file of files) {
    const end = ends.get(file)
    if (end === undefined) failures.push(`${file}: not run to its end`)
    else if (end !== 0 && !failures.some((failure) => failure.startsWith(`${file}: `))) {
      failures.push(`${file}: ended with ${end === 143 ? 'the time limit' : end}`)
    } else if (!reported.some((line) => line.startsWith(`${file}: `))) failures.push(`${file}: no test ran`)
  }
  const support = values('support').at(-1)
  if (support === undefined) failures.push('support.mjs: not run to its end')
  return {
    release: values('kernel').at(-1),
    passed: values('pass').length,
    skipped: values('skip').length,
    failures,
    explanations: explanationsOf(said),
    scenarios: scenariosOf(values),
    support: support === undefined ? undefined : JSON.parse(support),
  }
}

/** What each failed test threw: the indented lines that follow its name. */
function explanationsOf(said) {
  return new Map(
    [...said.matchAll(/^@@fail (.*)\n((?: {4}.*\n)*)/gm)].map(([, failure, lines]) => [
      failure,
      lines.split('\n').slice(0, MAX_EXPLANATION_LINES),
    ]),
  )
}

/** For each backend: `passed`, `failed`, why it was left out, or undefined when its test was not run. */
function scenariosOf(values) {
  return Object.fromEntries(
    Object.entries(SCENARIOS).map(([backend, [file, name]]) => {
      const isIt = (line) => line.includes(`${file}: ${name}`)
      const skip = values('skip').find(isIt)
      if (skip !== undefined) return [backend, /\((.*)\)$/.exec(skip)?.[1] ?? 'left out']
      if (values('fail').some(isIt)) return [backend, 'failed']
      return [backend, values('pass').some(isIt) ? 'passed' : undefined]
    }),
  )
}

/** What a command wrote, and whether it ended well. */
export function readCommand(said) {
  const [, written = '', code] = /^@@run\n([^]*)^@@ran (\d+)$/m.exec(said) ?? []
  const failures =
    code === '0' ? [] : [`the command ${code === undefined ? 'did not end' : `ended with ${code}`}`]
  const release = /^@@kernel (.+)$/m.exec(said)?.[1]
  return { release, written, passed: failures.length === 0 ? 1 : 0, skipped: 0, failures }
}
