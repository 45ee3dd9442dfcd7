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
} from './proc-event.js'
export { makeRoom, type ReceiveQueue, receiveQueue } from './socket.js'
