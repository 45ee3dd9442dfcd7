/** Asks the process that reads the users of containers, and reports its answers. */

import { ReaderProcess } from '../../../process/reader/reader-process.js'
import type { Reports } from '../reports.js'
import type { Asking } from '../runtimes/runtime.js'
import type { AskedUsers, FoundUsers } from './asked.js'

/** So many questions may wait; others are asked with a later event. */
const MOST_WAITING = 256

export class UsersAsker implements Asking {
  readonly #process: ReaderProcess<AskedUsers, FoundUsers>

  constructor(reports: Reports, answerMs?: number) {
    const program = new URL('users-main.js', import.meta.url)
    this.#process = new ReaderProcess(program, answerMs === undefined ? {} : { answerMs }, {
      answered: ({ id, uid, gid }: AskedUsers, { user, group, unread }: FoundUsers) => {
        if (unread === 'noAnswer')
          reports.problem(`container ${id} for its users`, new Error('its files do not answer in time'))
        if (user === undefined && group === undefined) return
        reports.works(`container ${id} for its users`)
        reports.users({
          id,
          ...(user === undefined ? {} : { uid, user }),
          ...(group === undefined ? {} : { gid, group }),
        })
      },
      ended: () =>
        reports.problem('containers for their users', new Error('the process that reads them ended')),
    })
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  ask(asked: AskedUsers): void {
    if (this.#process.waiting < MOST_WAITING) this.#process.ask(asked)
  }

  close(): void {
    this.#process.close()
  }
}
