import { constants as fsConstants } from 'node:fs'
import { constants } from 'node:os'
import type { Program } from '../program/program.js'
import type { AttachType } from '../program/types.js'
import { bpf, BPF_LINK_CREATE, BpfAttr } from '../sys/bpf.js'
import { Fd } from '../sys/fd.js'
import { kernelError } from '../sys/permission.js'
import { Link } from './link.js'

/**
 * Attaches a program to a cgroup and all below it, beside the programs that are there already. It detaches with
 * the link, also when this process dies. Needs Linux 5.7 and cgroup v2.
 *
 * @param cgroup the cgroup's folder, or a descriptor of it, which stays the caller's
 * @throws {KernelError} when the kernel refuses
 */
export function attachCgroup(program: Program, cgroup: string | Fd, attachType: AttachType): Link {
  if (typeof cgroup !== 'string') {
    return link(program, cgroup, `cgroup descriptor ${cgroup.number}`, attachType)
  }
  const flags = fsConstants.O_RDONLY | fsConstants.O_DIRECTORY
  const folder = Fd.openFile(cgroup, flags, `cgroup "${cgroup}"`)
  try {
    return link(program, folder, cgroup, attachType)
  } finally {
    folder.close()
  }
}

function link(program: Program, cgroup: Fd, target: string, attachType: AttachType): Link {
  const attr = new BpfAttr().u32(0, program.fd.number).u32(4, cgroup.number).u32(8, attachType)
  const result = bpf(BPF_LINK_CREATE, attr)
  if (result < 0) {
    const notCgroup2 = result === -constants.errno.EBADF
    const advice = notCgroup2 ? 'this is no folder of a cgroup2 mount' : undefined
    throw kernelError(
      `Cannot attach program "${program.name}" to ${target}`,
      'bpf(BPF_LINK_CREATE)',
      result,
      advice,
    )
  }
  const fd = new Fd(result, `link to ${target}`)
  return new Link('cgroup', target, () => fd.close())
}
