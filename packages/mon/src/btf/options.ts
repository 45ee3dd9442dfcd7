import type { OptionGroup } from '../option.js'
import { fileName } from '../values.js'

/** Settings of one run of quark-btf. */
export interface BtfSettings {
  bits: boolean
  file: string | undefined
  lookup: string | undefined
  generate: string | undefined
  verbosity: number
}

/** The settings without options. */
export function defaultBtfSettings(): BtfSettings {
  return { bits: false, file: undefined, lookup: undefined, generate: undefined, verbosity: 0 }
}

/** The options of quark-btf. */
export const btfOptions: OptionGroup<BtfSettings> = {
  title: 'Options',
  options: [
    {
      long: 'bits',
      short: 'b',
      help: 'also write offsets in bits',
      set: (settings) => void (settings.bits = true),
    },
    {
      long: 'file',
      short: 'f',
      argument: 'FILE',
      help: 'read BTF from this file, raw or in an ELF file, instead of from the running kernel',
      conflicts: ['generate', 'lookup'],
      set: (settings, value) => void (settings.file = fileName(value)),
    },
    {
      long: 'generate',
      short: 'g',
      argument: 'FILE',
      help: 'write a table of the offsets that probes need, made from the BTF of this file',
      more: 'NAME says who built the kernel, and VERSION is its release as uname -r prints it. The table is JSON, and serves as FILE of quark-mon --btf on such a kernel.',
      conflicts: ['lookup'],
      set: (settings, value) => void (settings.generate = fileName(value)),
    },
    {
      long: 'lookup',
      short: 'l',
      argument: 'VERSION',
      help: 'write which kernel of the known offsets serves for this release; with -v also its offsets',
      set: (settings, value) => void (settings.lookup = fileName(value)),
    },
    {
      long: 'verbose',
      short: 'v',
      help: 'also write where the types were found, and under which other names',
      set: (settings) => void (settings.verbosity += 1),
    },
    { long: 'version', short: 'V', help: 'write the version and end', set: () => {} },
    { long: 'help', short: 'h', help: 'write this text and end', set: () => {} },
  ],
}
