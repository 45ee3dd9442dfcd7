import * as fc from 'fast-check'
import type { Made } from '../../../event/forms.js'
import { hostileText, maybe, u32, u64 } from '../../../testing/hostile-text.js'
import type { Samples } from '../../../testing/samples.js'
import type { ModuleEvent } from '../events.js'
import { TAINTS } from '../taints.js'

/** 2026-01-02T03:04:05.000000006Z. */
const TIME_NS = 1_767_323_045_000_000_006n

const LOADED: Made<ModuleEvent> = {
  kind: 'module',
  timeNs: TIME_NS,
  action: 'load',
  pid: 4242,
  name: 'hello',
  version: '1.0',
  srcVersion: 'B3F6D1A0F6A7C2B8D0E4F11',
  taints: ['outOfTree', 'unsigned'],
  file: '/root/hello world.ko',
  initFailed: false,
  process: undefined,
}

const INCLUDED: Made<ModuleEvent> = {
  ...LOADED,
  name: 'dummy',
  version: undefined,
  srcVersion: undefined,
  taints: [],
  file: undefined,
}

const UNLOADED: Made<ModuleEvent> = { ...INCLUDED, action: 'unload', taints: undefined }

const FAILED: Made<ModuleEvent> = { ...UNLOADED, name: 'hello', initFailed: true }

export const samples: Samples = {
  golden: [LOADED, INCLUDED, UNLOADED, FAILED],
  any: fc.record({
    kind: fc.constant('module' as const),
    timeNs: u64,
    action: fc.constantFrom('load' as const, 'unload' as const),
    pid: u32,
    name: hostileText,
    version: maybe(hostileText),
    srcVersion: maybe(hostileText),
    taints: maybe(fc.subarray([...TAINTS])),
    file: maybe(hostileText),
    initFailed: fc.boolean(),
    process: fc.constant(undefined),
  }),
}
