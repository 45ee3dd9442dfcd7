/** The control socket of the audit system (include/uapi/linux/audit.h). */

import { constants } from 'node:os'
import { EbpfError } from '../errors.js'
import type { Fd } from '../sys/fd.js'
import { kernelError } from '../sys/permission.js'
import { type AuditRule, encodeAuditRule, type ListedAuditRule, parseAuditRule } from './audit-rule.js'
import { joinGroups, openNetlink, receiveDatagram, sendDatagram } from './socket.js'

const NETLINK_AUDIT = 9
const AUDIT_NLGRP_READLOG = 1
const NLM_F_REQUEST = 1
const NLM_F_ACK = 4
const NLMSG_ERROR = 2
const NLMSG_DONE = 3
const HEADER_BYTES = 16
const AUDIT_GET = 1000
const AUDIT_SET = 1001
const AUDIT_ADD_RULE = 1011
const AUDIT_DEL_RULE = 1012
const AUDIT_LIST_RULES = 1013
const AUDIT_STATUS_ENABLED = 1
const AUDIT_STATUS_BACKLOG_LIMIT = 0x10
/** A kernel thread sends the answers, so they do not arrive at once. */
const ANSWER_TIMEOUT_MS = 3000
const MAX_ANSWER_BYTES = 16_384
const ADVICE = 'run as root or grant CAP_AUDIT_CONTROL and CAP_AUDIT_READ, in the initial namespaces'

/** 0: auditing is off; 1: on; 2: on, and locked with its rules until the next boot. */
export type AuditEnabled = 0 | 1 | 2

export interface AuditStatus {
  readonly enabled: AuditEnabled
  /** Process that the kernel sends records to, such as auditd; 0 when there is none. */
  readonly ownerPid: number
  /** Most records that may wait in the kernel; processes that make more have to wait. */
  readonly backlogLimit: number
  /** Records that the kernel dropped since boot. */
  readonly lost: number
}

/** Reads and changes what is audited. Rules outlive this object: who adds them must delete them. */
export class AuditControl implements Disposable {
  readonly #fd: Fd
  readonly #buffer = new Uint8Array(MAX_ANSWER_BYTES)
  #sequence = 0

  /** @throws {KernelError} when there is no audit system, or it does not answer in this network namespace */
  constructor() {
    this.#fd = openNetlink(NETLINK_AUDIT, 'audit socket', ANSWER_TIMEOUT_MS)
  }

  /** @throws {EbpfError} when the kernel refuses or does not answer */
  status(): AuditStatus {
    const [answer] = this.#request('AUDIT_GET', AUDIT_GET, new Uint8Array(0), AUDIT_GET)
    if (answer === undefined || answer.length < 32) throw this.#silence('AUDIT_GET')
    const view = new DataView(answer.buffer, answer.byteOffset, answer.length)
    const u32 = (index: number): number => view.getUint32(index * 4, true)
    return {
      enabled: Math.min(u32(1), 2) as AuditEnabled,
      ownerPid: u32(3),
      backlogLimit: u32(5),
      lost: u32(6),
    }
  }

  /** @throws {EbpfError} */
  setEnabled(enabled: AuditEnabled): void {
    this.#set(AUDIT_STATUS_ENABLED, 1, enabled)
  }

  /** @throws {EbpfError} */
  setBacklogLimit(records: number): void {
    this.#set(AUDIT_STATUS_BACKLOG_LIMIT, 5, records)
  }

  /** All rules in force. @throws {EbpfError} */
  rules(): ListedAuditRule[] {
    const answers = this.#request('AUDIT_LIST_RULES', AUDIT_LIST_RULES, new Uint8Array(0), NLMSG_DONE)
    return answers.flatMap((answer) => parseAuditRule(answer) ?? [])
  }

  /** @throws {EbpfError} */
  addRule(rule: AuditRule): void {
    this.#request('AUDIT_ADD_RULE', AUDIT_ADD_RULE, encodeAuditRule(rule), undefined)
  }

  /** Deletes a rule; one that is gone already is fine. @throws {EbpfError} */
  deleteRule(rule: Uint8Array): void {
    this.#request('AUDIT_DEL_RULE', AUDIT_DEL_RULE, rule, undefined, constants.errno.ENOENT)
  }

  close(): void {
    this.#fd.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #set(mask: number, word: number, value: number): void {
    const status = new Uint32Array(10)
    status[0] = mask
    status[word] = value
    this.#request('AUDIT_SET', AUDIT_SET, new Uint8Array(status.buffer), undefined)
  }

  /**
   * Sends a request, and waits for its acknowledgement and, if `last` is given, for the answers up to and including
   * the first of that type.
   */
  #request(
    name: string,
    type: number,
    payload: Uint8Array,
    last: number | undefined,
    tolerated?: number,
  ): Uint8Array[] {
    const sequence = (this.#sequence += 1)
    const message = Buffer.alloc(HEADER_BYTES + payload.length)
    message.writeUInt32LE(message.length, 0)
    message.writeUInt16LE(type, 4)
    message.writeUInt16LE(NLM_F_REQUEST | NLM_F_ACK, 6)
    message.writeUInt32LE(sequence, 8)
    message.set(payload, HEADER_BYTES)
    sendDatagram(this.#fd, message, `Cannot use audit (${name})`)
    const answers: Uint8Array[] = []
    let isAcknowledged = false
    let isComplete = last === undefined
    while (!isAcknowledged || !isComplete) {
      const length = receiveDatagram(this.#fd, this.#buffer, 'audit socket')
      if (length < HEADER_BYTES) throw this.#silence(name)
      const view = new DataView(this.#buffer.buffer, 0, length)
      if (view.getUint32(8, true) !== sequence) continue
      const answerType = view.getUint16(4, true)
      if (answerType === NLMSG_ERROR) {
        const errno = -view.getInt32(HEADER_BYTES, true)
        if (errno !== 0 && errno !== tolerated) {
          throw kernelError(`Cannot use audit (${name})`, 'send(NETLINK_AUDIT)', -errno, ADVICE)
        }
        isAcknowledged = true
        continue
      }
      if (answerType !== NLMSG_DONE) answers.push(this.#buffer.slice(HEADER_BYTES, length))
      if (answerType === last) isComplete = true
    }
    return answers
  }

  #silence(name: string): EbpfError {
    return new EbpfError(
      'ERR_EBPF_KERNEL',
      `Cannot use audit (${name}): the kernel did not answer (${ADVICE})`,
    )
  }
}

/**
 * Opens a socket that gets a copy of every audit record, non-blocking, without affecting the owner of the audit system.
 * Needs Linux 3.16 and CAP_AUDIT_READ.
 *
 * @throws {KernelError} when the kernel refuses
 */
export function openAuditLog(): Fd {
  const fd = openNetlink(NETLINK_AUDIT, 'audit log')
  try {
    joinGroups(fd, 1 << (AUDIT_NLGRP_READLOG - 1), 'Cannot listen to the audit log')
    return fd
  } catch (error) {
    fd.close()
    throw error
  }
}

/** Receives one audit record. @returns its length in bytes, 0 when none waits. @throws {KernelError} */
export function receiveAuditRecord(fd: Fd, buffer: Uint8Array): number {
  return receiveDatagram(fd, buffer, 'audit log')
}
