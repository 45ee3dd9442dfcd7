import type { Process } from './process.js'

/** Facts that come together, from the last record that had them. Immutable. */
export interface Identity extends Pick<
  Process,
  | 'uid'
  | 'euid'
  | 'suid'
  | 'gid'
  | 'egid'
  | 'sgid'
  | 'capInheritable'
  | 'capPermitted'
  | 'capEffective'
  | 'capBounding'
  | 'capAmbient'
  | 'ttyMajor'
  | 'ttyMinor'
  | 'loginUid'
  | 'auditSession'
  | 'utsNs'
  | 'ipcNs'
  | 'mntNs'
  | 'netNs'
  | 'userNs'
  | 'pidNs'
  | 'cgroupNs'
  | 'timeNs'
  | 'comm'
> {
  /** The record that it is read from; empty when it comes from several. */
  readonly text: string
  /** Undefined when it comes from several records. */
  readonly source: IdentitySource | undefined
}

/** The one record that an identity comes from, and how it is read from that. */
export interface IdentitySource {
  readonly text: string
  readonly form: IdentityForm
}

/** How an identity lies in a record. Equal forms are the same object. */
export interface IdentityForm {
  identityIn(text: string): Identity
  /** The same in a text of its own, which is as short as it can be. */
  cut(text: string): Identity
}
