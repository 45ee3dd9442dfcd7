/** What the other end of a connection is called. */

import type { NameSource } from '../../names/names.js'
import type { Tables } from '../kind.js'
import { plainIp } from '../../names/address.js'
import { userAt } from '../../process/at.js'

/** A name of the other end, and where it comes from. */
export interface RemoteName {
  readonly remoteName: string | undefined
  readonly remoteNameSource: NameSource | undefined
}

/** A connection, as far as its name depends on it. */
interface NamedEnds {
  readonly timeNs: bigint
  readonly socketId: bigint
  readonly netNs: number | undefined
  readonly remoteIp: string | undefined
}

const UNNAMED: RemoteName = { remoteName: undefined, remoteNameSource: undefined }

/**
 * The name that a process used for who it connects to: nothing is known of who connects to it.
 *
 * @param pid of who opened the connection
 */
export function remoteNameOf(
  { timeNs, socketId, netNs, remoteIp }: NamedEnds,
  pid: number | undefined,
  isOutbound: boolean,
  tables: Tables,
): RemoteName {
  const { names, timeBase } = tables
  if (!isOutbound || names.size === 0) return UNNAMED
  const ip = remoteIp === undefined ? undefined : plainIp(remoteIp)
  const opener = pid === undefined ? undefined : userAt(pid, tables)
  const found = names.find({ socketId, netNs, opener, remoteIp: ip }, Number(timeNs - timeBase.bootEpochNs))
  return found === undefined ? UNNAMED : { remoteName: found.name, remoteNameSource: found.source }
}
