import { monotonicMs } from '../../../event/time-base.js'
import type { ProcessRecord } from '../../../process/entry.js'
import type { PlaceUsers } from '../../../process/place.js'
import type { Container } from '../../../process/process.js'
import type { UsersDetails } from '../details.js'
import type { AskedUsers } from './asked.js'

/** So many users, and so many groups, of one container have names. */
const MOST_IDS = 256
/** What has no name, or could not be looked up, is not asked for again so soon. */
const AGAIN_MS = 10_000

/** Of one container. */
interface Known {
  users: PlaceUsers
  /** When ids may be asked about again, ms of the process's clock. */
  readonly nextUserMs: Map<number, number>
  readonly nextGroupMs: Map<number, number>
}

/** Names of users and groups by the containers' own files, as far as they were asked for. Bounded. */
export class UsersTable {
  forgotten = 0
  readonly #limit: number
  readonly #known = new Map<string, Known>()
  readonly #ask: ((asked: AskedUsers) => void) | undefined

  /** `ask` is called for ids that have no name yet. */
  constructor(limit: number, ask: ((asked: AskedUsers) => void) | undefined) {
    this.#limit = limit
    this.#ask = ask
  }

  get size(): number {
    return this.#known.size
  }

  /** The names of a container: the same object as long as nothing else is known. Asks about those of the process. */
  usersOf(container: Container, process: ProcessRecord): PlaceUsers | undefined {
    if (this.#ask === undefined && this.#known.size === 0) return undefined
    const known = this.#known.get(container.id)
    const users = known?.users
    if (this.#ask !== undefined) {
      const { euid, egid } = process
      const isUserKnown = euid === undefined || users?.users.has(euid) === true
      const isGroupKnown = egid === undefined || users?.groups.has(egid) === true
      if (!isUserKnown || !isGroupKnown) {
        this.#want(container.id, process, isUserKnown ? undefined : euid, isGroupKnown ? undefined : egid)
      }
    }
    return users === undefined || users.users.size + users.groups.size === 0 ? undefined : users
  }

  learn({ id, uid, user, gid, group }: UsersDetails): void {
    const known = this.#of(id)
    const { users, groups } = known.users
    known.users = { users: withName(users, uid, user), groups: withName(groups, gid, group) }
  }

  #want(id: string, process: ProcessRecord, uid: number | undefined, gid: number | undefined): void {
    const { nextUserMs, nextGroupMs } = this.#of(id)
    const now = monotonicMs()
    const askedUid = isDue(nextUserMs, uid, now)
    const askedGid = isDue(nextGroupMs, gid, now)
    if (askedUid === undefined && askedGid === undefined) return
    const { entry } = process
    // The first process of a container mostly lives as long as that, and has its root and its user namespace.
    const pids = entry?.type === 'container' ? [entry.pid, process.pid] : [process.pid]
    this.#ask?.({ id, pids, uid: askedUid, gid: askedGid })
  }

  #of(id: string): Known {
    let known = this.#known.get(id)
    if (known === undefined) {
      known = {
        users: { users: new Map(), groups: new Map() },
        nextUserMs: new Map(),
        nextGroupMs: new Map(),
      }
      this.#known.set(id, known)
      if (this.#known.size > this.#limit) {
        for (const oldest of this.#known.keys()) {
          this.#known.delete(oldest)
          this.forgotten += 1
          break
        }
      }
    }
    return known
  }
}

/** The id, if it is to be asked about now; then it is not for a while. */
function isDue(nextMs: Map<number, number>, id: number | undefined, now: number): number | undefined {
  if (id === undefined) return undefined
  const next = nextMs.get(id)
  if (next === undefined ? nextMs.size >= MOST_IDS : now < next) return undefined
  nextMs.set(id, now + AGAIN_MS)
  return id
}

/** A copy with another name: events have the former one. */
function withName(
  names: ReadonlyMap<number, string>,
  id: number | undefined,
  name: string | undefined,
): ReadonlyMap<number, string> {
  if (id === undefined || name === undefined || names.get(id) === name) return names
  if (!names.has(id) && names.size >= MOST_IDS) return names
  return new Map(names).set(id, name)
}
