/** Probes of modules. */

import {
  add,
  at,
  callArgument,
  type Chars,
  currentPidTgid,
  currentTask,
  type Elements,
  has,
  inTask,
  isCall,
  ifThen,
  kernelString,
  lookup,
  map,
  path,
  type PathStruct,
  type Probe,
  probe,
  remove,
  resolves,
  type Scalar,
  store,
  struct,
  sub,
  sysEnter,
  sysExit,
  tracepoint,
  u32,
  u64,
} from 'quark-ebpf/probe'
import { currentActor } from '../../process/actor.js'
import { moduleFreeLayout, moduleLoadLayout } from './records.js'

interface Module {
  readonly name: Chars
  readonly version: Scalar
  readonly srcversion: Scalar
  readonly taints: Scalar
}

interface Loader {
  readonly files: {
    readonly fdt: { readonly fd: Elements<{ readonly f_path: PathStruct }>; readonly max_fds: Scalar }
  }
  readonly fs: { readonly root: PathStruct }
}

const module = struct<Module>('module', 'mod')
const CALLS = ['init_module', 'finit_module'] as const

const NO_FILE = 'system calls are not seen'

/** Threads within a call that loads a module; the descriptor of its file and one more. */
function loadersMap() {
  return map({ name: 'quark_loaders', type: 'lruHash', key: u64, value: u32, maxEntries: 1024 })
}

function loadFill(mod: Module) {
  return {
    ...currentActor(),
    hasTaints: resolves(mod.taints),
    taints: mod.taints,
    name: mod.name,
    version: kernelString(mod.version),
    srcVersion: kernelString(mod.srcversion),
  }
}

const loadHook = inTask(tracepoint('module_load', [module]))
const freeHook = inTask(tracepoint('module_free', [module]))

/** With the file, and whether the initialisation failed; for that, system calls are hooked. */
function probesWithCalls(): Probe[] {
  const loaders = loadersMap()
  const thread = currentPidTgid()
  const begin = probe({ name: 'quark_modcall', hook: sysEnter(CALLS) }, (call) => ({
    effects: [store(loaders, thread, ifThen(isCall(call, 'finit_module'), add(callArgument(call, 0), 1)))],
  }))
  const end = probe({ name: 'quark_modend', hook: sysExit(CALLS) }, () => ({
    effects: [remove(loaders, thread)],
  }))
  const load = probe({ name: 'quark_modload', hook: loadHook, record: moduleLoadLayout }, (mod) => {
    const { files, fs } = currentTask<Loader>()
    // Of a descriptor of -1 there is no file.
    const file = at(files.fdt.fd, sub(lookup(loaders, thread), 1), files.fdt.max_fds)
    return { fill: { ...loadFill(mod), file: path(file.f_path, fs.root) } }
  })
  const free = probe({ name: 'quark_modfree', hook: freeHook, record: moduleFreeLayout }, (mod) => ({
    fill: { ...currentActor(), hasFailed: has(loaders, thread), name: mod.name },
  }))
  return [end, begin, load, free]
}

function plainProbes(): Probe[] {
  return [
    probe({ name: 'quark_modload', hook: loadHook, record: moduleLoadLayout }, (mod) => ({
      fill: loadFill(mod),
      lacks: { file: NO_FILE },
    })),
    probe({ name: 'quark_modfree', hook: freeHook, record: moduleFreeLayout }, (mod) => ({
      fill: { ...currentActor(), name: mod.name },
      lacks: { hasFailed: NO_FILE },
    })),
  ]
}

/** The probes of each rung. */
export function moduleProbes(): { withCalls: Probe[]; plain: Probe[] } {
  return { withCalls: probesWithCalls(), plain: plainProbes() }
}
