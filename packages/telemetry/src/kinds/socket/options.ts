import type { OptionSpecs, SettingsOf } from '../../options/spec.js'

const MORE = 'The same as --sockets, for scripts that were written for the quark-mon in C.'

/** Options about sockets. */
export const socketOptions = {
  /** Also TCP connections that are opened, accepted and closed, and who listens. Default false. */
  sockets: {
    type: 'flag',
    default: false,
    isKindSwitch: true,
    command: [
      {
        group: 'watch',
        long: 'sockets',
        short: 'S',
        help: 'also show TCP connections, and who listens for them',
      },
      { group: 'watch', long: 'sock-conn', help: 'the same as --sockets', more: MORE },
    ],
  },
  /** Of so many open sockets it is known who opened them; beyond it the one unused longest goes. Default 65,536. */
  maxSockets: {
    type: 'count',
    default: 65_536,
    min: 256,
    max: 4_194_304,
    command: {
      group: 'buffer',
      long: 'max-sockets',
      argument: 'N',
      help: 'remember who opened this many sockets at most',
    },
  },
} as const satisfies OptionSpecs

/** The options of sockets with every default filled in. */
export type SocketSettings = SettingsOf<typeof socketOptions>
