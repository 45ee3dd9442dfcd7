/** Values of options, for tests that go over all of them. */

import type { QuarkOptions } from '../../kinds/index.js'

/** For each option a value that is not its default. */
export const OTHER_VALUES: Required<QuarkOptions> = {
  backends: ['procConnector'],
  aggregation: 'none',
  holdMs: 7,
  redact: false,
  redactPatterns: ['x+'],
  releaseEarly: false,
  maxLength: 700,
  maxBufferBytes: 1 << 20,
  maxTableBytes: 2 << 20,
  ringSizeBytes: 64 << 10,
  pollMs: 77,
  batchMs: 7,
  btf: '/sys/kernel/btf/vmlinux',
  record: '/dev/null',
  truncate: true,
  bypass: true,
  signal: new AbortController().signal,
  where: { ppid: 1 },
  excludePids: [1],
  threads: true,
  kernelThreads: true,
  failedExecs: true,
  maxEnvBytes: 700,
  maxArgvBytes: 700,
  usage: true,
  snapshot: true,
  graceMs: 7,
  maxProcesses: 700,
  sockets: true,
  maxSockets: 700,
  tty: true,
  maxTtyBytes: 700,
}
