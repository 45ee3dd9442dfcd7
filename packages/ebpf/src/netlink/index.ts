export {
  AUDIT_ANOM_ABEND,
  AUDIT_CWD,
  AUDIT_EOE,
  AUDIT_EXECVE,
  AUDIT_PATH,
  AUDIT_SYSCALL,
  auditArgument,
  auditArguments,
  auditNumber,
  type AuditRecord,
  auditText,
  parseAuditRecord,
} from './audit-message.js'
export { type AuditRule, type ListedAuditRule } from './audit-rule.js'
export {
  AuditControl,
  type AuditEnabled,
  type AuditStatus,
  openAuditLog,
  receiveAuditRecord,
} from './audit-socket.js'
export { MessageGaps } from './message-gaps.js'
export {
  parseProcMessage,
  PROC_MESSAGE_BYTES,
  type ProcCommMessage,
  type ProcExitMessage,
  type ProcForkMessage,
  type ProcIdMessage,
  type ProcMessage,
  type ProcPlainMessage,
  type ProcPtraceMessage,
} from './proc-event.js'
export { makeRoom, type ReceiveQueue, receiveQueue } from './socket.js'
export { listSockets, type ListedSocket, type SocketsWanted } from './sock-diag.js'
