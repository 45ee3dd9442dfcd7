/** The kinds, a line for each. They are put in order by their numbers. */

export { cgroupKind } from './cgroup/index.js'
export { dnsKind } from './dns/index.js'
export { execChangeKind } from './execChange/index.js'
export { fileAccessKind } from './fileAccess/index.js'
export { fileKind } from './file/index.js'
export { moduleKind } from './module/index.js'
export { processKind } from './process/index.js'
export { ptraceKind } from './ptrace/index.js'
export { socketKind } from './socket/index.js'
export { tlsKind } from './tls/index.js'
export { ttyKind } from './tty/index.js'
export { containerKind } from './container/index.js'
