import { readCapabilities } from './host.js'
import { localNames } from './users.js'

/** The names of users and groups of this machine, and what it has of capabilities. */
export interface LocalMachine {
  userName(uid: number): string | undefined
  groupName(gid: number): string | undefined
  readonly host: { readonly capabilities: string | undefined }
}

let machine: LocalMachine | undefined

/** This machine, as it was at the first call. */
export function localMachine(): LocalMachine {
  machine ??= {
    userName: (uid) => localNames.userName(uid),
    groupName: (gid) => localNames.groupName(gid),
    host: { capabilities: readCapabilities() },
  }
  return machine
}
