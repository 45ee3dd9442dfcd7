/** The same storm through every backend: what was reported, what was declared lost, and what it cost. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { AuditControl } from '../packages/ebpf/dist/index.js'
import { BACKEND_NAMES } from '../packages/telemetry/dist/index.js'

const WATCHER = fileURLToPath(new URL('backends-watcher.mjs', import.meta.url))
/** Without a backend: what the storm costs by itself. */
const NONE = 'none'

/** Each in a process of its own, so that the garbage of one is not collected at the expense of the next. */
function watch(backend, count) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [WATCHER, backend, String(count)], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`Cannot watch a storm through ${backend}: ${stderr}`)
  return { backend, ...JSON.parse(stdout) }
}

/** The state of audit, which a closed queue must have restored; undefined if there is no audit system. */
function auditState() {
  let control
  try {
    control = new AuditControl()
    const { enabled, backlogLimit } = control.status()
    return JSON.stringify({ enabled, backlogLimit, rules: control.rules().length })
  } catch {
    return undefined
  } finally {
    control?.close()
  }
}

function watchAll({ audit, count }) {
  const before = auditState()
  const names = BACKEND_NAMES.filter((name) => audit || name !== 'audit')
  const results = [NONE, ...names].map((name) => watch(name, count))
  const after = auditState()
  if (after !== before) throw new Error(`The audit system was ${before}, and was left as ${after}`)
  return {
    results,
    auditNote: audit && before !== undefined ? [`Before and after, audit was ${before}.`] : [],
  }
}

function accountRow({ backend, refusal, produced, delivered, ringFull, rejected, recursion, declared }) {
  if (refusal !== undefined) return [backend, ...new Array(7).fill('–')]
  const lost = ringFull + rejected
  return [backend, produced, delivered, ringFull, rejected, recursion, declared, produced - delivered - lost]
}

function processRow(result, count) {
  const { backend, refusal, whole, partly, missed, bare, unenriched, stormCpuMs, wallMs } = result
  if (refusal !== undefined) return [backend, ...new Array(8).fill('–')]
  const found =
    backend === NONE ? new Array(6).fill('') : [whole, partly, missed, bare, unenriched, cpuOf(result)]
  return [backend, ...found, (stormCpuMs / (count / 1000)).toFixed(1), wallMs.toFixed(0)]
}

/** Per 1,000 processes that the queue saw: others start some too. */
function cpuOf({ cpuMs, seen }) {
  return (cpuMs / (seen / 1000)).toFixed(1)
}

export async function backends({ quick, audit }) {
  const count = quick ? 2000 : 20_000
  const { results, auditNote } = watchAll({ audit, count })
  const opened = results.filter(({ backend }) => backend !== NONE)
  return {
    tables: [
      {
        title: 'Records of the whole machine while the storm went on',
        columns: [
          'backend',
          'produced',
          'delivered',
          'ring full',
          'rejected',
          'skipped runs',
          'reported lost',
          'produced − delivered − lost',
        ],
        rows: opened.map(accountRow),
      },
      {
        title: `The ${count} processes of the storm, each a fork, an exec and an exit`,
        columns: [
          'backend',
          'whole',
          'in part',
          'not at all',
          'facts missing',
          'unenriched',
          'CPU ms of quark / 1,000',
          'CPU ms of the storm / 1,000',
          'wall ms',
        ],
        rows: results.map((result) => processRow(result, count)),
      },
    ],
    notes: [
      '_Lost_ is _ring full_ and _rejected_; runs that the kernel skipped made no record.',
      '_Facts missing_ are processes without one of exe, argv, cwd, ids and capabilities at their end. ' +
        '_Unenriched_ counts records for which nothing was left in /proc; a process has several.',
      ...auditNote,
      ...opened.flatMap(({ backend, refusal }) => (refusal === undefined ? [] : [`${backend}: ${refusal}`])),
    ],
    figures: opened
      .filter(({ refusal }) => refusal === undefined)
      .map((result) => ({
        name: `CPU of a queue per 1,000 processes, ${result.backend}`,
        value: `${cpuOf(result)} ms`,
      })),
  }
}
