export { FanotifyGroup, fileSystemId, HandlePaths } from './group.js'
export { MountChanges } from './mount-changes.js'
export { type MountAt, mountAt, MountCopy } from './mount-copy.js'
export {
  FAN_ACCESS,
  FAN_ATTRIB,
  FAN_CLOSE_WRITE,
  FAN_CREATE,
  FAN_DELETE,
  FAN_MODIFY,
  FAN_ONDIR,
  FAN_OPEN,
  FAN_Q_OVERFLOW,
  FAN_RENAME,
  type FanotifyEvent,
  type FanotifySkip,
  type FileHandle,
  handleOfKey,
  inodeOfHandle,
  type NamedEntry,
  parseFanotify,
} from './parse.js'
