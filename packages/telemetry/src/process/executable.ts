/** The file that a process executes: which it is, what is in it, and whose it is. */

import type { ObjectSpec } from '../event/spec.js'

/** What owns a file: a package of a distribution, or of npm. */
export interface FilePackage {
  /** Of whose database: dpkg, rpm or apk; or the nearest package.json in node_modules. */
  readonly type: 'deb' | 'rpm' | 'apk' | 'npm'
  readonly name: string
  readonly version: string | undefined
  readonly architecture: string | undefined
}

/** Why the content of a file is not known. */
export type UnreadReason = (typeof UNREAD_REASONS)[number]

export const UNREAD_REASONS = ['gone', 'tooLarge', 'changed', 'noAnswer', 'refused', 'noReader'] as const

/** The file that a process executes. Immutable. */
export interface Executable {
  /** Number of the device, as the kernel has it. */
  readonly device: number
  readonly inode: bigint
  /** Distinguishes it from files that had the same inode before; 0 where the file system has no such number. */
  readonly generation: number
  readonly sizeBytes: number
  /** Epoch ns at which its content changed last. */
  readonly modifiedNs: bigint
  /** It has no name, only memory (memfd_create(2)). */
  readonly memfd: boolean
  /** It had no name any more when it was executed. */
  readonly deleted: boolean
  /** It was deleted, and another file has its name. */
  readonly replaced: boolean
  /** What the program interprets, as it was given to execve(2): a script, or what binfmt_misc has the program for. */
  readonly script: string | undefined
  /** 64 digits; undefined as long as it is not known. */
  readonly sha256: string | undefined
  /** Why there is no `sha256`; undefined as long as that is not known. */
  readonly unread: UnreadReason | undefined
  /** Undefined unless it was asked for and some package has the file. */
  readonly package: FilePackage | undefined
  /** The same of the script. */
  readonly scriptPackage: FilePackage | undefined
}

/** A package. */
export const packageObject: ObjectSpec<FilePackage> = {
  name: 'package',
  doc: 'The package that a file belongs to',
  fields: {
    type: {
      type: 'word',
      words: ['deb', 'rpm', 'apk', 'npm'],
      doc: 'whose database has it; `npm`: the nearest package.json in node_modules',
      isAlwaysKnown: true,
      ecs: 'type',
    },
    name: { type: 'string', doc: 'its name', isAlwaysKnown: true, ecs: 'name' },
    version: { type: 'string', doc: 'its version', ecs: 'version' },
    architecture: { type: 'string', doc: 'what it was built for', ecs: 'architecture' },
  },
}

/** The file that a process executes. */
export const executableObject: ObjectSpec<Executable> = {
  name: 'executable',
  doc: 'The file that a process executes',
  fields: {
    device: {
      type: 'number',
      doc: 'of its file system, as the kernel has it',
      isAlwaysKnown: true,
      ecs: 'device',
    },
    inode: { type: 'digits', doc: 'its number there', isAlwaysKnown: true, dump: 'FILE inode', ecs: 'inode' },
    generation: {
      type: 'number',
      doc: 'distinguishes it from files that had the inode before; 0 where there is no such number',
      isAlwaysKnown: true,
      ecs: 'generation',
    },
    sizeBytes: {
      type: 'number',
      unit: 'bytes',
      max: Number.MAX_SAFE_INTEGER,
      doc: 'its size when it was executed',
      isAlwaysKnown: true,
      dump: 'FILE size',
      ecs: 'size',
    },
    modifiedNs: {
      type: 'time',
      doc: 'when its content changed last',
      isAlwaysKnown: true,
      json: 'modified',
      ecs: 'mtime',
    },
    memfd: {
      type: 'flag',
      doc: 'it has no name, only memory (memfd_create(2))',
      dump: 'FILE memfd',
      ecs: 'memfd',
    },
    deleted: {
      type: 'flag',
      doc: 'it had no name any more when it was executed',
      dump: 'FILE deleted',
      ecs: 'deleted',
    },
    replaced: {
      type: 'flag',
      doc: 'it was deleted, and another file has its name',
      dump: 'FILE replaced',
      ecs: 'replaced',
    },
    script: {
      type: 'string',
      doc: 'what the program interprets, as execve(2) was given it: a script, or what binfmt_misc has it for',
      mayHoldSecrets: true,
      dump: 'FILE script',
      ecs: 'script',
    },
    sha256: { type: 'string', doc: 'of its content, 64 digits', dump: 'FILE sha256' },
    unread: {
      type: 'word',
      words: UNREAD_REASONS,
      doc: 'why there is no `sha256`: the process was gone, the file is larger than `maxHashBytes`, changed while it was read, its file system does not answer in time or too many files wait, it cannot be read, or nothing is there to read it',
      dump: 'FILE unread',
      ecs: 'unread',
    },
    package: {
      type: 'object',
      object: packageObject,
      doc: 'the package that has it; only with `packages`',
      ecs: 'package',
    },
    scriptPackage: {
      type: 'object',
      object: packageObject,
      doc: 'the package that has the script; only with `packages`',
      ecs: 'script_package',
    },
  },
  lines: ['FILE'],
}
