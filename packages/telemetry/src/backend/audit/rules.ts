/** The audit rules of this process. If it dies without deleting them, the next queue finds them by their keys. */

import type { AuditControl, AuditRule, ListedAuditRule } from 'quark-ebpf'
import { closeAfterError } from '../close-all.js'
import { QuarkError } from '../../errors.js'
import type { AuditedCall } from '../../facts/rungs.js'
import { auditArchitectures, numbersOf } from './architectures.js'
import { findStat, isGone } from '../../process/procfs/enrich.js'

const UNDO_TRIES = 3

/** Room for records until they are read. The kernel's own default, 64, makes processes wait. */
const BACKLOG_LIMIT = 8192

/** How the audit system was before the first queue changed it. */
interface Before {
  readonly enabled: number
  readonly backlogLimit: number
}

/** The key of a rule: its owner, and the settings to restore if the owner died. */
interface Key extends Before {
  readonly pid: number
  readonly startBootNs: bigint
}

const KEY = /^quark:(\d{1,10}):(\d{1,19}):([01]):(\d{1,10}):\d+$/
let queues = 0

function parseKey(key: string | undefined): Key | undefined {
  const match = KEY.exec(key ?? '')
  if (match === null) return undefined
  const [, pid, start, enabled, backlogLimit] = match
  return {
    pid: Number(pid),
    startBootNs: BigInt(start as string),
    enabled: Number(enabled),
    backlogLimit: Number(backlogLimit),
  }
}

function isAlive({ pid, startBootNs }: Key): boolean {
  return !isGone({ pid, tid: pid, timeNs: 0n, startBootNs })
}

/** The part of `AuditControl` that is used here. */
export type RuleControl = Pick<
  AuditControl,
  'status' | 'rules' | 'addRule' | 'deleteRule' | 'setEnabled' | 'setBacklogLimit'
>

/** Rules that are in force until they are disposed of. */
export class AuditRules implements Disposable {
  /** Auditing was off before: processes that began then cannot be audited. */
  readonly wasDisabled: boolean
  readonly #control: RuleControl
  readonly #before: Before
  readonly #key: string

  /**
   * Adds the rules, and turns auditing on. Rules of queues that died are deleted.
   *
   * @param control stays the caller's
   * @throws {QuarkError} ERR_QUARK_SYSTEM when the audit system may not be changed, or would report nothing
   * @throws {EbpfError} when the kernel refuses
   */
  constructor(control: RuleControl, calls: readonly AuditedCall[]) {
    this.#control = control
    const status = control.status()
    if (status.enabled === 2) {
      throw new QuarkError('ERR_QUARK_SYSTEM', 'Cannot use audit: its rules are locked until the next boot')
    }
    if (status.enabled === 0 && status.ownerPid !== 0) {
      const problem = `process ${status.ownerPid} owns it and has turned it off (auditctl -e 1 turns it on)`
      throw new QuarkError('ERR_QUARK_SYSTEM', `Cannot use audit: ${problem}`)
    }
    const rules = control.rules()
    if (rules.some(({ silencesTasks }) => silencesTasks)) {
      const problem = 'a rule keeps all processes from being audited (auditctl -d never,task deletes it)'
      throw new QuarkError('ERR_QUARK_SYSTEM', `Cannot use audit: ${problem}`)
    }
    const others = rules.flatMap(({ key }) => parseKey(key) ?? [])
    const { enabled, backlogLimit } = others[0] ?? status
    this.#before = { enabled, backlogLimit }
    this.wasDisabled = enabled === 0
    const start = findStat({ pid: process.pid, tid: process.pid, timeNs: 2n ** 63n })?.startBootNs ?? 0n
    queues += 1
    this.#key = `quark:${process.pid}:${start}:${enabled}:${backlogLimit}:${queues}`
    try {
      this.#deleteWhere(rules, ({ key }) => isStale(key))
      if (status.ownerPid === 0 && status.backlogLimit < BACKLOG_LIMIT) control.setBacklogLimit(BACKLOG_LIMIT)
      this.#add(calls)
      if (status.enabled === 0) control.setEnabled(1)
    } catch (error) {
      closeAfterError(() => this[Symbol.dispose]())
      throw error
    }
  }

  /**
   * Deletes the rules; the last queue leaves the audit system as the first one found it. Rules that were locked
   * meanwhile stay until the next boot: the kernel changes nothing any more.
   */
  [Symbol.dispose](): void {
    for (let tries = 1; ; tries += 1) {
      try {
        this.#undo()
        return
      } catch (error) {
        // Rules outlive the process and slow the machine down, so one refusal is not enough to leave them.
        if (tries === UNDO_TRIES) throw error
      }
    }
  }

  #undo(): void {
    const status = this.#control.status()
    if (status.enabled === 2) return
    const rules = this.#control.rules()
    this.#deleteWhere(rules, ({ key }) => key === this.#key)
    const isLast = rules.every(({ key }) => key === this.#key || parseKey(key) === undefined || isStale(key))
    // Another owner that came meanwhile has its own settings.
    if (!isLast || status.ownerPid !== 0) return
    if (status.enabled !== this.#before.enabled) this.#control.setEnabled(0)
    if (status.backlogLimit !== this.#before.backlogLimit) {
      this.#control.setBacklogLimit(this.#before.backlogLimit)
    }
  }

  #add(calls: readonly AuditedCall[]): void {
    const always = calls.filter((call) => call.always === true)
    const others = calls.filter((call) => call.always !== true)
    const firstArguments = new Set(others.map(({ firstArgument }) => firstArgument))
    for (const { arch, architecture } of auditArchitectures()) {
      const done = new Set<number>()
      const add = (some: readonly AuditedCall[], rule: Omit<AuditRule, 'arch' | 'key' | 'calls'>): void => {
        const numbers = numbersOf(some, architecture).filter((number) => !done.has(number))
        if (numbers.length === 0) return
        // Calls that are audited whatever their result need no rule for success.
        if (!rule.onlySuccess) for (const number of numbers) done.add(number)
        this.#control.addRule({ arch, key: this.#key, calls: numbers, ...rule })
      }
      add(always, { onlySuccess: false })
      for (const firstArgument of firstArguments) {
        const some = others.filter((call) => call.firstArgument === firstArgument)
        add(some, { onlySuccess: true, ...(firstArgument === undefined ? {} : { firstArgument }) })
      }
    }
  }

  #deleteWhere(rules: readonly ListedAuditRule[], isWanted: (rule: ListedAuditRule) => boolean): void {
    for (const rule of rules.filter(isWanted)) this.#control.deleteRule(rule.bytes)
  }
}

function isStale(key: string | undefined): boolean {
  const owner = parseKey(key)
  return owner !== undefined && !isAlive(owner)
}
