import type { OptionSpecs, SettingsOf } from '../../options/spec.js'

/** Options about BPF. */
export const bpfOptions = {
  /** Also BPF programs that others than this queue load and attach. Default false. */
  bpf: {
    type: 'flag',
    default: false,
    isKindSwitch: true,
    command: {
      group: 'watch',
      long: 'bpf',
      help: 'also show BPF programs that others load and attach',
    },
  },
} as const satisfies OptionSpecs

/** The options about BPF with every default filled in. */
export type BpfSettings = SettingsOf<typeof bpfOptions>
