import type { Program } from '../program/program.js'
import type { Fd } from '../sys/fd.js'
import { setSocketOption } from '../sys/libc.js'
import { checked } from '../sys/permission.js'
import { Link } from './link.js'

const SOL_SOCKET = 1
const SO_DETACH_FILTER = 27
const SO_ATTACH_BPF = 50

/**
 * Attaches a program as a socket's filter, in place of the filter it had. The program returns how many bytes of each
 * packet to keep; 0 drops the packet. Closing the link or the socket removes it.
 *
 * @throws {KernelError} when the kernel refuses
 */
export function attachSocketFilter(program: Program, socket: Fd): Link {
  const target = `socket ${socket.number}`
  const action = `Cannot attach program "${program.name}" to ${target}`
  const value = (number: number): Uint8Array => new Uint8Array(Int32Array.of(number).buffer)
  const result = setSocketOption(socket.number, SOL_SOCKET, SO_ATTACH_BPF, value(program.fd.number))
  checked(action, 'setsockopt(SO_ATTACH_BPF)', result)
  return new Link('socketFilter', target, () => {
    if (!socket.closed) {
      setSocketOption(socket.number, SOL_SOCKET, SO_DETACH_FILTER, value(0))
    }
  })
}
