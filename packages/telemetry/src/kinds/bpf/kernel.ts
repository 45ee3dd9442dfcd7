/** The probe of bpf(2). */

import {
  add,
  and,
  callArgument,
  cast,
  type Chars,
  eq,
  firstNonZero,
  ge,
  ifThen,
  not,
  oneOf,
  type Probe,
  probe,
  type Scalar,
  sysExit,
  u32,
  userString,
  userStruct,
} from 'quark-ebpf/probe'
import { currentActor } from '../../process/actor.js'
import { fileOf, isSuccess } from '../../process/kernel-files.js'
import { isOwnProcess } from '../../process/kernel-own.js'
import {
  COMMANDS,
  LINK_CREATE,
  LINK_DETACH,
  PROG_ATTACH,
  PROG_DETACH,
  PROG_LOAD,
  RAW_TRACEPOINT_OPEN,
} from './names.js'
import { bpfLayout } from './records.js'

/** `struct bpf_prog`. */
interface Program {
  readonly type: Scalar
  readonly expected_attach_type: Scalar
  readonly len: Scalar
  readonly aux: { readonly id: Scalar; readonly name: Chars }
}

/** `struct bpf_link`. */
interface Link {
  readonly id: Scalar
  readonly type: Scalar
  readonly prog: Program & Scalar
}

/** Where `union bpf_attr` has the name of a program, and how many bytes it then has at least. */
const NAME_OFFSET = 48
const BYTES_WITH_NAME = 64

/** The program, the link and the attach type of a call, whatever its command. */
function subjectOf(command: Scalar, attr: Scalar, result: Scalar) {
  const first = userStruct(attr, { first: u32, second: u32, attachType: u32 })
  const made = fileOf(result).private_data
  const ofLink = oneOf(command, [LINK_CREATE, RAW_TRACEPOINT_OPEN])
  const link = firstNonZero(
    ifThen(and(ofLink, isSuccess(result)), made),
    ifThen(eq(command, LINK_DETACH), fileOf(first.first).private_data),
  )
  const program = firstNonZero(
    ifThen(and(eq(command, PROG_LOAD), isSuccess(result)), made),
    ifThen(oneOf(command, [PROG_ATTACH, PROG_DETACH]), fileOf(first.second).private_data),
    cast<Link>('bpf_link', link).prog,
  )
  return { link: cast<Link>('bpf_link', link), program: cast<Program>('bpf_prog', program), asked: first }
}

export function bpfProbe(): Probe {
  return probe({ name: 'quark_bpf', hook: sysExit(['bpf']), record: bpfLayout }, (call, result) => {
    const [command, attr, size] = [callArgument(call, 0), callArgument(call, 1), callArgument(call, 2)]
    const { link, program, asked } = subjectOf(command, attr, result)
    const hasFailed = not(isSuccess(result))
    const isRefused = and(and(eq(command, PROG_LOAD), hasFailed), ge(size, BYTES_WITH_NAME))
    return {
      when: and(oneOf(command, Object.keys(COMMANDS).map(Number)), not(isOwnProcess())),
      fill: {
        ...currentActor(),
        command,
        programType: firstNonZero(program.type, ifThen(isRefused, asked.first)),
        attachType: firstNonZero(
          program.expected_attach_type,
          ifThen(oneOf(command, [LINK_CREATE, PROG_ATTACH, PROG_DETACH]), asked.attachType),
        ),
        programId: program.aux.id,
        linkId: link.id,
        linkType: link.type,
        instructions: program.len,
        result,
        name: program.aux.name,
        askedName: userString(ifThen(isRefused, add(attr, NAME_OFFSET))),
      },
    }
  })
}
