import type { RungSamples, TracepointSample } from '../../../testing/rung-fields.js'

/** `root`, `level`, `id` and `path` of a cgroup's tracepoints, behind eight bytes that all of them have. */
const hit: TracepointSample = {
  fields: new Map([
    ['root', { offset: 8, sizeBytes: 4, dynamic: false }],
    ['id', { offset: 16, sizeBytes: 8, dynamic: false }],
    ['path', { offset: 24, sizeBytes: 4, dynamic: true }],
  ]),
  raw: Buffer.alloc(64),
}

export const rungSamples: RungSamples = { tracepoints: { cgroup_mkdir: hit, cgroup_rename: hit } }
