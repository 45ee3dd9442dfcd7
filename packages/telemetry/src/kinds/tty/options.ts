import type { OptionSpecs, SettingsOf } from '../../options/spec.js'
import { MAX_TTY_BYTES } from './records.js'

/** Options about terminals. */
export const ttyOptions = {
  /** Also what is written to terminals, and what is typed where it is shown. It may hold secrets. Default false. */
  tty: {
    type: 'flag',
    default: false,
    isKindSwitch: true,
    command: {
      group: 'watch',
      long: 'tty',
      help: 'also show what is written to terminals; it may hold secrets',
      more: 'What quark-mon writes itself is left out. What is typed is seen where the terminal shows it, and passwords are not.',
    },
  },
  /** Most bytes of one write to a terminal that an event has; the rest is counted. Default 8,192. */
  maxTtyBytes: {
    type: 'bytes',
    default: 8192,
    min: 64,
    max: MAX_TTY_BYTES,
    command: {
      group: 'watch',
      long: 'max-tty',
      argument: 'BYTES',
      help: 'keep at most this much of one write to a terminal',
    },
  },
} as const satisfies OptionSpecs

/** The options of terminals with every default filled in. */
export type TtySettings = SettingsOf<typeof ttyOptions>
