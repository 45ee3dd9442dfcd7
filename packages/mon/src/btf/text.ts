import { BTF_TARGETS, type ResolvedTarget } from 'quark-telemetry'
import { tableHelp } from '../help.js'
import { btfOptions } from './options.js'

/** Width of the column of offsets. */
const OFFSET_COLUMNS = 7
const UNRESOLVED = 'U'
const NAME_COLUMNS = Math.max(...BTF_TARGETS.map(({ name }) => name.length))

/** One line: the name, the offset in bytes, and in bits when they are wanted. */
export function targetLine({ name, offset }: ResolvedTarget, bits: boolean): string {
  const bytes = offset === undefined ? UNRESOLVED : `${offset}`
  const inBits = offset === undefined ? UNRESOLVED : `${offset * 8}`
  return `${name.padEnd(NAME_COLUMNS)} ${bytes.padEnd(OFFSET_COLUMNS)}${bits ? inBits : ''}\n`
}

/** Ways to call the command. */
export const BTF_USAGE: readonly string[] = [
  'quark-btf [-bv] [-f FILE] [TARGET ...]',
  'quark-btf [-bv] -l VERSION',
  'quark-btf -g FILE NAME VERSION',
]

/** The text of `quark-btf --help`. */
export function btfHelp(columns: number): string {
  return tableHelp(
    {
      usage: BTF_USAGE,
      summary:
        'Writes at which offsets a kernel keeps what quark reads, from its BTF. Without TARGET it writes all; ' +
        `${UNRESOLVED} stands for what the kernel does not have.`,
      groups: [btfOptions],
    },
    columns,
  )
}
