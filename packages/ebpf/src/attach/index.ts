export { attachCgroup } from './cgroup.js'
export { openCgroupRoot } from './cgroup-root.js'
export { IteratorLink } from './iterator.js'
export { Link, type LinkKind } from './link.js'
export { attachKprobe, attachTracepoint, KprobeLink } from './perf-event.js'
export {
  openProcConnector,
  PROC_EVENT_COMM,
  PROC_EVENT_COREDUMP,
  PROC_EVENT_EXEC,
  PROC_EVENT_EXIT,
  PROC_EVENT_FORK,
  PROC_EVENT_GID,
  PROC_EVENT_PTRACE,
  PROC_EVENT_SID,
  PROC_EVENT_UID,
  ProcConnector,
} from './proc-connector.js'
export { attachRawTracepoint, attachTracing } from './raw-tracepoint.js'
export { attachSocketFilter } from './socket-filter.js'
export { type EventField, findTracefs, KprobeEvents, tracepointEvent } from './tracefs.js'
