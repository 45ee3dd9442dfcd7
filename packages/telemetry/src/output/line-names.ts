import type { Names } from './line.js'

const NO_ID = -1

/** Names of users and groups within one document. Remembers the last of each, as most ids in it are the same. */
export class DocumentNames implements Names {
  readonly #ask: Names
  #uid = NO_ID
  #user: string | undefined = undefined
  #gid = NO_ID
  #group: string | undefined = undefined

  constructor(ask: Names) {
    this.#ask = ask
  }

  /** Begins a document: names may have changed. */
  begin(): void {
    this.#uid = NO_ID
    this.#gid = NO_ID
  }

  userName(uid: number): string | undefined {
    if (uid !== this.#uid) {
      this.#uid = uid
      this.#user = this.#ask.userName(uid)
    }
    return this.#user
  }

  groupName(gid: number): string | undefined {
    if (gid !== this.#gid) {
      this.#gid = gid
      this.#group = this.#ask.groupName(gid)
    }
    return this.#group
  }
}
