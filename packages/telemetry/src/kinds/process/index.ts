import type { Kind } from '../kind.js'
import { applyProcessChanges } from './apply.js'
import { processEvents } from './event-specs.js'
import { processFacts } from './facts.js'
import { processOptions } from './options.js'
import { scanRecords } from './scrape.js'
import { cgroupNamesBytes } from '../../process/cgroup-names.js'
import { readEnvironment } from '../../process/procfs/environment.js'
import { ProcessTable } from '../../process/table.js'
import { applyExecFailed, applySnapshot, applyThread } from './apply-others.js'
import {
  commLayout,
  execFailedLayout,
  execLayout,
  exitLayout,
  exitUsageLayout,
  forkLayout,
  idChangeLayout,
  snapshotLayout,
  threadExitLayout,
  threadForkLayout,
} from './records.js'

const imageSecrets = { argv: 'argv', env: 'env' } as const

/** Processes, from fork to exit. */
export const processKind: Kind<typeof processOptions, typeof processEvents> = {
  name: 'process',
  number: 0,
  options: processOptions,
  facts: processFacts,
  scan: scanRecords,
  table: ({ settings, timeBase, redaction, cgroupHierarchyId }) => {
    const maxTableBytes = settings.maxTableBytes - cgroupNamesBytes(settings.maxTableBytes)
    // Known only of a queue of this machine.
    const isLive = cgroupHierarchyId !== undefined
    const context = { redaction, ...(isLive ? { environmentOf: readEnvironment } : {}) }
    // Events that are held for longer than their process lives have it as well.
    const graceMs = Math.max(settings.graceMs, settings.holdMs)
    return new ProcessTable({ ...settings, graceMs, maxTableBytes, ...context }, timeBase)
  },
  records: [
    {
      name: 'fork',
      layout: forkLayout,
      apply: applyProcessChanges,
      asksFilter: true,
      changesProcess: true,
      colour: 'orange',
    },
    {
      name: 'exec',
      layout: execLayout,
      apply: applyProcessChanges,
      asksFilter: true,
      changesProcess: true,
      secrets: imageSecrets,
      colour: 'lightslateblue',
    },
    {
      name: 'exit',
      layout: exitLayout,
      apply: applyProcessChanges,
      asksFilter: true,
      changesProcess: true,
      isLast: true,
      colour: 'lightseagreen',
    },
    {
      name: 'exitUsage',
      column: 'exit',
      layout: exitUsageLayout,
      apply: applyProcessChanges,
      asksFilter: true,
      changesProcess: true,
      isLast: true,
      colour: 'lightseagreen',
    },
    {
      name: 'idChange',
      layout: idChangeLayout,
      apply: applyProcessChanges,
      asksFilter: true,
      changesProcess: true,
      colour: 'plum',
    },
    {
      name: 'comm',
      layout: commLayout,
      apply: applyProcessChanges,
      asksFilter: true,
      changesProcess: true,
      colour: 'yellow',
    },
    {
      name: 'snapshot',
      layout: snapshotLayout,
      apply: applySnapshot,
      isOwn: true,
      secrets: imageSecrets,
      colour: 'lightgrey',
    },
    { name: 'threadFork', layout: threadForkLayout, apply: applyThread },
    { name: 'threadExit', layout: threadExitLayout, apply: applyThread },
    {
      name: 'execFailed',
      layout: execFailedLayout,
      apply: applyExecFailed,
      // A call costs next to nothing, its event a thousand times as much: what waits is to be read within seconds.
      ringShare: 1 / 32,
    },
  ],
  factLabels: {
    fork: 'forks',
    exec: 'execs',
    exit: 'exits',
    idChange: 'id changes',
    commChange: 'name changes',
    exactStarts: 'exact starts of older processes',
    filtersInKernel: 'filters in the kernel',
    rulesInKernel: 'rules in the kernel',
    killers: 'senders of signals that end processes',
  },
  limits: [
    { counter: 'evicted', text: 'processes were forgotten too early', option: 'maxProcesses' },
    {
      counter: 'evictedForBytes',
      text: 'of the processes that were forgotten too early made room for others',
      option: 'maxTableBytes',
    },
    { counter: 'cutProcesses', text: 'remembered processes had their strings cut', option: 'maxTableBytes' },
    { counter: 'truncatedArgv', text: 'argument lists were cut', option: 'maxArgvBytes' },
    { counter: 'truncatedEnv', text: 'environments were cut', option: 'maxEnvBytes' },
    {
      counter: 'truncatedPaths',
      text: 'paths were cut',
      reason: 'they are longer than a record has room for',
    },
  ],
  joins: {
    // An exec does not join a fork across an id change: the credentials in between would be lost.
    // oxfmt-ignore
    default: [
      // parent    child       joins
      ['fork',     'exec',     ['exec', 'idChange']],
      ['fork',     'comm',     'always'],
      ['fork',     'idChange', 'always'],
      ['fork',     'exit',     'once'],
      ['exec',     'comm',     'always'],
      ['exec',     'exit',     'once'],
      ['comm',     'comm',     'always'],
      ['comm',     'exit',     'once'],
      ['idChange', 'idChange', 'always'],
    ],
    // oxfmt-ignore
    minimal: [
      ['fork',     'comm',     'always'],
      ['exec',     'comm',     'always'],
      ['comm',     'comm',     'always'],
      ['idChange', 'idChange', 'always'],
    ],
  },
  events: processEvents,
}
