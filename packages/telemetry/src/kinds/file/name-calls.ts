/** System calls that do something with names of files, and where their arguments are. */

import {
  and,
  callArgument,
  type CallRegisters,
  constant,
  firstNonZero,
  ifThen,
  isCall,
  mul,
  ne,
  or,
  type Scalar,
  type sysExit,
} from 'quark-ebpf/probe'
import {
  DID_CHMOD,
  DID_CHOWN,
  DID_EXCHANGE,
  DID_LINK,
  DID_MKDIR,
  DID_MKNOD,
  DID_MOVE,
  DID_REMOVE,
  DID_RMDIR,
  DID_SYMLINK,
  DID_TRUNCATE,
  DID_UTIMES,
  DID_XATTR,
} from './records.js'

const AT_REMOVEDIR = 0x200
const RENAME_EXCHANGE = 2

type Call = CallRegisters
type Calls = Parameters<typeof sysExit>[0]
/** Number of an argument. */
type Argument = Parameters<typeof callArgument>[1]

/** A call with one name. */
export interface Naming {
  /** Of the program. */
  readonly name: string
  readonly group: 'names' | 'content' | 'attributes'
  /** Other architectures have only calls that name a directory. */
  readonly isOnX64?: boolean
  readonly calls: Calls
  readonly what: (call: Call) => Scalar | number
  /** Arguments that are the name, and the descriptor of the directory in which it is looked up. */
  readonly argument: Argument
  readonly descriptor?: Argument
}

/** A call with two names. */
export interface Moving extends Omit<Naming, 'argument' | 'descriptor'> {
  readonly from: Argument
  readonly to: Argument
  readonly fromDescriptor?: Argument
  readonly toDescriptor?: Argument
}

/** A value if the call is at hand, else 0. */
export function ifCall(call: Call, name: Calls[number], value: Scalar | number): Scalar {
  return mul(isCall(call, name), value)
}

export const NAMED_CALLS: readonly Naming[] = [
  {
    name: 'quark_funlink',
    group: 'names',
    isOnX64: true,
    calls: ['unlink', 'rmdir'],
    what: (call) => or(ifCall(call, 'unlink', DID_REMOVE), ifCall(call, 'rmdir', DID_RMDIR)),
    argument: 0,
  },
  {
    name: 'quark_fmkdir',
    group: 'names',
    isOnX64: true,
    calls: ['mkdir'],
    what: () => DID_MKDIR,
    argument: 0,
  },
  {
    name: 'quark_fmknod',
    group: 'names',
    isOnX64: true,
    calls: ['mknod'],
    what: () => DID_MKNOD,
    argument: 0,
  },
  {
    name: 'quark_fattr',
    group: 'attributes',
    isOnX64: true,
    calls: ['chmod', 'chown', 'lchown', 'utime', 'utimes'],
    what: (call) =>
      or(
        ifCall(call, 'chmod', DID_CHMOD),
        ifCall(call, 'chown', DID_CHOWN),
        ifCall(call, 'lchown', DID_CHOWN),
        ifCall(call, 'utime', DID_UTIMES),
        ifCall(call, 'utimes', DID_UTIMES),
      ),
    argument: 0,
  },
  {
    name: 'quark_futimesat',
    group: 'attributes',
    isOnX64: true,
    calls: ['futimesat'],
    what: () => DID_UTIMES,
    argument: 1,
    descriptor: 0,
  },
  {
    name: 'quark_funlinkat',
    group: 'names',
    calls: ['unlinkat'],
    what: (call) =>
      firstNonZero(ifThen(ne(and(callArgument(call, 2), AT_REMOVEDIR), 0), DID_RMDIR), constant(DID_REMOVE)),
    argument: 1,
    descriptor: 0,
  },
  {
    name: 'quark_fmkdirat',
    group: 'names',
    calls: ['mkdirat'],
    what: () => DID_MKDIR,
    argument: 1,
    descriptor: 0,
  },
  {
    name: 'quark_fmknodat',
    group: 'names',
    calls: ['mknodat'],
    what: () => DID_MKNOD,
    argument: 1,
    descriptor: 0,
  },
  {
    name: 'quark_fattrat',
    group: 'attributes',
    calls: ['fchmodat', 'fchmodat2', 'fchownat', 'utimensat'],
    what: (call) =>
      or(
        ifCall(call, 'fchmodat', DID_CHMOD),
        ifCall(call, 'fchmodat2', DID_CHMOD),
        ifCall(call, 'fchownat', DID_CHOWN),
        ifCall(call, 'utimensat', DID_UTIMES),
      ),
    argument: 1,
    descriptor: 0,
  },
  {
    name: 'quark_fxattr',
    group: 'attributes',
    calls: ['setxattr', 'lsetxattr', 'removexattr', 'lremovexattr'],
    what: () => DID_XATTR,
    argument: 0,
  },
  {
    name: 'quark_ftruncate',
    group: 'content',
    calls: ['truncate'],
    what: () => DID_TRUNCATE,
    argument: 0,
  },
]

export const MOVED_CALLS: readonly Moving[] = [
  {
    name: 'quark_frename',
    group: 'names',
    isOnX64: true,
    calls: ['rename', 'link', 'symlink'],
    what: (call) =>
      or(
        ifCall(call, 'rename', DID_MOVE),
        ifCall(call, 'link', DID_LINK),
        ifCall(call, 'symlink', DID_SYMLINK),
      ),
    from: 0,
    to: 1,
  },
  {
    name: 'quark_frenameat',
    group: 'names',
    calls: ['renameat', 'renameat2', 'linkat'],
    what: (call) =>
      firstNonZero(
        ifCall(call, 'linkat', DID_LINK),
        ifThen(
          and(isCall(call, 'renameat2'), ne(and(callArgument(call, 4), RENAME_EXCHANGE), 0)),
          DID_EXCHANGE,
        ),
        constant(DID_MOVE),
      ),
    from: 1,
    to: 3,
    fromDescriptor: 0,
    toDescriptor: 2,
  },
  {
    name: 'quark_fsymlink',
    group: 'names',
    calls: ['symlinkat'],
    what: () => DID_SYMLINK,
    from: 0,
    to: 2,
    toDescriptor: 1,
  },
]
