/** What is asked about users of containers, and what is answered: lines of JSON between quark and the process that reads. */

/** A question: who are these, in that container? */
export interface AskedUsers {
  /** Of the container. */
  readonly id: string
  /** Processes of it, of which the first that is still there is looked at. */
  readonly pids: readonly number[]
  /** Ids as the machine has them, whatever they are in the container. */
  readonly uid?: number | undefined
  readonly gid?: number | undefined
}

/** An answer. Without a name the files have none. */
export interface FoundUsers {
  readonly user?: string | undefined
  readonly group?: string | undefined
  /** Nothing could be looked up. */
  readonly unread?: 'gone' | 'noAnswer' | undefined
}

/** Names longer than this are none. */
export const MAX_NAME_CHARS = 256
