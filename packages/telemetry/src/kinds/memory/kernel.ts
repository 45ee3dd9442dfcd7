/** Probes of memory that becomes executable. */

import {
  and,
  callArgument,
  claim,
  constant,
  currentTask,
  eq,
  firstNonZero,
  ifThen,
  isCall,
  map,
  ne,
  or,
  type Probe,
  probe,
  type Scalar,
  shiftLeft,
  sysExit,
  u32,
  u64,
} from 'quark-ebpf/probe'
import { currentActor } from '../../process/actor.js'
import { fileOf, isSuccess, pathOf } from '../../process/kernel-files.js'
import {
  BY_MMAP,
  BY_MPROTECT,
  BY_PKEY_MPROTECT,
  BY_SHMAT,
  executableLayout,
  executableMapLayout,
  IMPLIED,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from './records.js'

interface Personality {
  readonly personality: Scalar
  /** Grows with each exec. */
  readonly self_exec_id: Scalar
}

/** What can be read can be executed (include/uapi/linux/personality.h). */
const READ_IMPLIES_EXEC = 0x40_0000
/** Flags of shmat(2). */
const SHM_RDONLY = 0o10000
const SHM_EXEC = 0o100000
/** The same in flags of mmap(2) everywhere that quark runs. */
const MAP_ANONYMOUS = 0x20
const PROTECTION = PROT_READ | PROT_WRITE | PROT_EXEC
const MAX_REPORTED = 16_384

/** What was reported: sorts of calls of a process, as of its last exec. */
function reportedMap() {
  return map({
    name: 'quark_execmem',
    type: 'lruHash',
    key: { pid: u32, sort: u32, startBootNs: u64, execId: u64 },
    value: u32,
    maxEntries: MAX_REPORTED,
  })
}

type Reported = ReturnType<typeof reportedMap>

/** Reports a sort of a process once. */
function once(reported: Reported, by: Scalar, canWrite: Scalar, isNameless: Scalar = constant(0)) {
  const sort = or(or(shiftLeft(by, 2), shiftLeft(isNameless, 1)), canWrite)
  return claim(reported, { ...currentActor(), sort, execId: currentTask<Personality>().self_exec_id }, 0, 1)
}

const isImplied = (): Scalar => ne(and(currentTask<Personality>().personality, READ_IMPLIES_EXEC), 0)

/** The protection that was asked for, and whether only the personality of the process makes it executable. */
function protectionOf(asked: Scalar): Scalar {
  return or(and(asked, PROTECTION), ifThen(eq(and(asked, PROT_EXEC), 0), constant(IMPLIED)))
}

/** 1 if memory of that protection can be executed. */
function isExecutable(asked: Scalar): Scalar {
  return or(ne(and(asked, PROT_EXEC), 0), and(ne(and(asked, PROT_READ), 0), isImplied()))
}

const isWritable = (asked: Scalar): Scalar => ne(and(asked, PROT_WRITE), 0)

function mprotectProbe(reported: Reported): Probe {
  const hook = sysExit(['mprotect', 'pkey_mprotect'])
  return probe({ name: 'quark_mprotect', hook, record: executableLayout }, (call, result) => {
    const asked = callArgument(call, 2)
    const by = firstNonZero(
      ifThen(isCall(call, 'pkey_mprotect'), constant(BY_PKEY_MPROTECT)),
      constant(BY_MPROTECT),
    )
    return {
      when: and(isExecutable(asked), eq(result, 0)),
      effects: [once(reported, by, isWritable(asked))],
      fill: {
        ...currentActor(),
        by,
        protection: protectionOf(asked),
        segment: 0,
        address: callArgument(call, 0),
        sizeBytes: callArgument(call, 1),
      },
    }
  })
}

/** Maps of files are ordinary, unless they are writable too, or the file has no name any more. */
function mmapProbe(reported: Reported): Probe {
  return probe(
    { name: 'quark_mmap', hook: sysExit(['mmap']), record: executableMapLayout },
    (call, result) => {
      const [asked, flags] = [callArgument(call, 2), callArgument(call, 3)]
      const file = fileOf(ifThen(eq(and(flags, MAP_ANONYMOUS), 0), callArgument(call, 4)))
      const isAnonymous = ne(and(flags, MAP_ANONYMOUS), 0)
      const isNameless = and(eq(isAnonymous, 0), eq(file.f_inode.i_nlink, 0))
      return {
        when: and(isExecutable(asked), isSuccess(result), or(isAnonymous, isWritable(asked), isNameless)),
        effects: [once(reported, constant(BY_MMAP), isWritable(asked), isNameless)],
        fill: {
          ...currentActor(),
          by: BY_MMAP,
          protection: protectionOf(asked),
          isOfFile: eq(isAnonymous, 0),
          address: result,
          sizeBytes: callArgument(call, 1),
          file: pathOf(file),
        },
      }
    },
  )
}

function shmatProbe(reported: Reported): Probe {
  return probe(
    { name: 'quark_shmexec', hook: sysExit(['shmat']), record: executableLayout },
    (call, result) => {
      const flags = callArgument(call, 2)
      const canWrite = eq(and(flags, SHM_RDONLY), 0)
      return {
        when: and(or(ne(and(flags, SHM_EXEC), 0), isImplied()), isSuccess(result)),
        effects: [once(reported, constant(BY_SHMAT), canWrite)],
        fill: {
          ...currentActor(),
          by: BY_SHMAT,
          protection: or(
            ifThen(canWrite, constant(PROT_WRITE)),
            ifThen(eq(and(flags, SHM_EXEC), 0), constant(IMPLIED)),
          ),
          segment: callArgument(call, 0),
          address: result,
          sizeBytes: 0,
        },
      }
    },
  )
}

/** The probes of memory that becomes executable. Exec and the kernel map without system calls of the process. */
export function memoryProbes(): Probe[] {
  const reported = reportedMap()
  return [mprotectProbe(reported), mmapProbe(reported), shmatProbe(reported)]
}
