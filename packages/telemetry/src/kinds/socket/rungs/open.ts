/** Sockets that are older than the queue. */

import {
  and,
  cast,
  claim,
  constant,
  eq,
  firstNonZero,
  ifThen,
  int,
  iterator,
  ne,
  oneOf,
  probe,
  socketCookie,
  struct,
} from 'quark-ebpf/probe'
import type { File, SocketOfFile, SocketTask } from '../kernel-types.js'
import type { SocketMaps } from '../maps.js'
import { AF_INET, AF_INET6, PHASE_FOUND, PHASE_LISTENING, PHASE_TRIED } from '../records.js'
import { TCP_SYN_SENT, TCP_CLOSE, TCP_LISTEN, isTcp } from './common.js'

/** Of the mode of a file. */
const S_IFMT = 0o170000
const S_IFSOCK = 0o140000

/** Every TCP socket of this network namespace gets a cookie, by being asked for it. */
export function cookiesProbe() {
  return probe(
    { name: 'quark_cookies', hook: iterator('tcp', [struct<object>('sock_common', 'sk_common')]) },
    (sk) => ({ when: ne(socketCookie(sk), 0) }),
  )
}

/** Sockets that processes have already, and who the first one is that has each. */
export function openSocketsProbe({ sockets, keys }: SocketMaps) {
  const file = struct<File>('file', 'file')
  const hook = iterator('task_file', [struct<SocketTask>('task_struct', 'task'), int('fd', 4), file])
  return probe({ name: 'quark_open', hook }, (task, _fd, opened) => {
    const { sk } = cast<SocketOfFile>('socket', opened.private_data)
    const { skc_state: state, skc_family: family } = sk.__sk_common
    const key = keys.ofUntyped(sk)
    const phase = firstNonZero(
      ifThen(eq(state, TCP_LISTEN), PHASE_LISTENING),
      ifThen(eq(state, TCP_SYN_SENT), PHASE_TRIED),
      constant(PHASE_FOUND),
    )
    return {
      when: and(
        eq(and(opened.f_inode.i_mode, S_IFMT), S_IFSOCK),
        oneOf(family, [AF_INET, AF_INET6]),
        isTcp(sk),
        ne(state, TCP_CLOSE),
        ne(key, 0),
      ),
      effects: [
        claim(sockets, key, 0, {
          pid: task.tgid,
          startBootNs: task.group_leader.start_boottime,
          phase,
        }),
      ],
    }
  })
}
