/** Probes of access to other processes. */

import {
  and,
  callArgument,
  type CallRegisters,
  cast,
  constant,
  containerOf,
  currentTask,
  eq,
  firstNonZero,
  ifThen,
  isCall,
  ne,
  not,
  or,
  type Probe,
  probe,
  type Scalar,
  sysExit,
} from 'quark-ebpf/probe'
import { currentActor } from '../../process/actor.js'
import { fileOf, isNamed, isSuccess, type OpenFile } from '../../process/kernel-files.js'
import { isOwnProcess } from '../../process/kernel-own.js'
import {
  currentLevel,
  forgetTarget,
  type KernelPid,
  notedTarget,
  numberAt,
  numberedTarget,
  pidTarget,
  targetProbes,
  targetsMap,
} from '../../process/kernel-target.js'
import type { Task } from '../../process/kernel-types.js'
import { accessLayout, BY_GETFD, BY_MEM, BY_READV, BY_WRITEV } from './records.js'

/** include/uapi/linux/magic.h */
const PROC_SUPER_MAGIC = 0x9fa0
const FMODE_BITS = 3

const memoryHook = sysExit(['process_vm_readv', 'process_vm_writev'])

/** The process asks for its own memory, as some do to find out whether an address is valid. */
function isOwn(id: Scalar): Scalar {
  const task = currentTask<Task>()
  return or(eq(id, numberAt(task.group_leader, currentLevel())), eq(id, numberAt(task, currentLevel())))
}

function memoryFill(call: CallRegisters, result: Scalar) {
  return {
    ...currentActor(),
    by: firstNonZero(ifThen(isCall(call, 'process_vm_writev'), constant(BY_WRITEV)), constant(BY_READV)),
    detail: 0,
    result,
  }
}

/** process_vm_readv(2) and process_vm_writev(2): where functions can be hooked, and where not. */
function memoryProbes() {
  const targets = targetsMap('quark_vm_whom')
  const finding = targetProbes('quark_access_of', targets)
  const noted = probe(
    { name: 'quark_vm_access', hook: memoryHook, record: accessLayout },
    (call, result) => ({
      given: not(isOwn(callArgument(call, 0))),
      finally: [forgetTarget(targets)],
      fill: { ...memoryFill(call, result), ...notedTarget(targets, callArgument(call, 0)) },
    }),
  )
  const plain = probe(
    { name: 'quark_vm_access', hook: memoryHook, record: accessLayout },
    (call, result) => ({
      when: not(isOwn(callArgument(call, 0))),
      fill: { ...memoryFill(call, result), ...numberedTarget(callArgument(call, 0)) },
    }),
  )
  return { fexit: [noted, finding.fexit], kretprobe: [noted, finding.kretprobe], calls: [plain] }
}

/** What a descriptor of a process is about; it moved in 6.9. */
function pidOfFile(file: OpenFile): Scalar {
  return firstNonZero(file.private_data, file.f_inode.i_private)
}

/** pidfd_getfd(2). */
function getfdProbe(): Probe {
  return probe(
    { name: 'quark_getfd', hook: sysExit(['pidfd_getfd']), record: accessLayout },
    (call, result) => {
      const target = pidTarget(cast<KernelPid>('pid', pidOfFile(fileOf(callArgument(call, 0)))))
      return {
        // Of a call that failed the descriptor may be of anything.
        when: and(isSuccess(result), ne(target.targetPid, currentTask<Task>().tgid)),
        fill: { ...currentActor(), ...target, by: BY_GETFD, detail: callArgument(call, 1), result },
      }
    },
  )
}

/** Opens of /proc/PID/mem. */
function memProbe(): Probe {
  const hook = sysExit(['open', 'openat', 'openat2'])
  return probe({ name: 'quark_mem', hook, record: accessLayout }, (_call, result) => {
    const file = fileOf(result)
    const { pid } = containerOf<{ readonly pid: KernelPid }>('proc_inode', 'vfs_inode', file.f_inode)
    const target = pidTarget(pid)
    return {
      when: and(
        isSuccess(result),
        eq(file.f_inode.i_sb.s_magic, PROC_SUPER_MAGIC),
        isNamed(file.f_path.dentry, 'mem'),
        ne(target.targetPid, currentTask<Task>().tgid),
        not(isOwnProcess()),
      ),
      fill: { ...currentActor(), ...target, by: BY_MEM, detail: and(file.f_mode, FMODE_BITS), result },
    }
  })
}

/** The probes of each fact. */
export function accessProbes() {
  return { memory: memoryProbes(), descriptors: [getfdProbe()], files: [memProbe()] }
}
