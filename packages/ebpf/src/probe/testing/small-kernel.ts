import type { Chars, Elements, PathStruct, Scalar } from '../index.js'

/** The members of the types in `smallBtf`, and some that it lacks. */
export interface SmallTask {
  readonly pid: Scalar
  readonly tgid: Scalar
  readonly in_execve: Scalar
  readonly policy: Scalar
  readonly state: Scalar
  readonly group_leader: SmallTask
  readonly comm: Chars
  readonly start_boottime: Scalar
  readonly real_start_time: Scalar
  readonly signal: {
    readonly pids: Elements<{ readonly level: Scalar; readonly numbers: Elements<Scalar> }>
    readonly utime: Scalar
  }
  readonly fs: { readonly pwd: PathStruct; readonly root: PathStruct }
  readonly nice: Scalar
  readonly frozen: Scalar
  readonly arg_start: Scalar
  readonly no_such_member: Scalar
}
