/** The process that reads the users and groups of containers. */

import { read, type ReaderConfig } from '../../../process/reader/supervise.js'
import type { AskedUsers, FoundUsers } from './asked.js'
import { findUsers } from './read-users.js'

read<ReaderConfig, AskedUsers, FoundUsers>({
  url: import.meta.url,
  // Where a file of a container hangs, the others may too.
  keyOf: ({ id }) => id,
  noAnswerTo: () => ({ unread: 'noAnswer' }),
  reader: (_config, advance) => (asked) => findUsers(asked, advance),
})
