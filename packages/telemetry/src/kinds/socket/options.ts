import type { OptionSpecs, SettingsOf } from '../../options/spec.js'

const MORE = 'The same as --sockets, for scripts that were written for the quark-mon in C.'

/** Options about sockets. */
export const socketOptions = {
  /** Also TCP connections and who listens for them, flows of UDP, and raw sockets. Default false. */
  sockets: {
    type: 'flag',
    default: false,
    isKindSwitch: true,
    command: [
      {
        group: 'watch',
        long: 'sockets',
        short: 'S',
        help: 'also show TCP connections and who listens for them, flows of UDP, and raw sockets',
      },
      { group: 'watch', long: 'sock-conn', help: 'the same as --sockets', more: MORE },
    ],
  },
  /** Of so many sockets it is known who opened them; beyond it the one unused longest goes. Default 65,536. */
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
  /** Also who connects, accepts and listens through Unix sockets. Default false. */
  unixSockets: {
    type: 'flag',
    default: false,
    command: {
      group: 'watch',
      long: 'unix',
      help: 'also show who connects through Unix sockets; where functions cannot be hooked, every system call gets slower',
    },
  },
  /**
   * With `sockets`: see who opens sockets of packets also where functions cannot be hooked, at the cost of every system
   * call of the machine. Default false.
   */
  packetSockets: {
    type: 'flag',
    default: false,
    command: {
      group: 'watch',
      long: 'packet-sockets',
      help: 'with --sockets: see who opens sockets of packets on every kernel, though every system call gets slower',
    },
  },
  /** With `sockets`: also UDP, an event for each socket and other end. Default true. */
  udpFlows: {
    type: 'flag',
    default: true,
    command: {
      group: 'watch',
      long: 'no-udp',
      help: 'with --sockets: leave out UDP',
      value: false,
    },
  },
  /**
   * With `sockets`: most open sockets that each event lists of its process, those first that it had longest. Default 0: none.
   */
  processSockets: {
    type: 'count',
    default: 0,
    min: 0,
    max: 256,
    isRecorded: true,
    notWithBypass: true,
    command: {
      group: 'watch',
      long: 'process-sockets',
      argument: 'N',
      withoutArgument: '16',
      help: 'with --sockets: list up to N open sockets of the process of each event in JSON and ECS (16 without a number)',
    },
  },
  /** A flow of UDP without a datagram for so long has ended. Default 60,000. */
  flowIdleMs: {
    type: 'ms',
    default: 60_000,
    min: 100,
    max: 86_400_000,
    command: {
      group: 'buffer',
      long: 'flow-idle',
      argument: 'TIME',
      help: 'end a flow of UDP after this long without a datagram',
    },
  },
  /** Most flows of UDP at a time; beyond it the one unused longest goes. Default 16,384. */
  maxFlows: {
    type: 'count',
    default: 16_384,
    min: 256,
    max: 1_048_576,
    command: {
      group: 'buffer',
      long: 'max-flows',
      argument: 'N',
      help: 'count this many flows of UDP at a time at most',
    },
  },
  /** Most bytes of the table of sockets; beyond it closed ones go first, then the oldest. Default 32 MiB. */
  maxSocketBytes: {
    type: 'bytes',
    default: 33_554_432,
    min: 65_536,
    max: 4_294_967_296,
    isRecorded: true,
    notWithBypass: true,
    command: {
      group: 'buffer',
      long: 'max-socket-bytes',
      argument: 'BYTES',
      help: 'limit the memory of the table of sockets',
    },
  },
  /** How long a closed socket can still be looked up. Default 4,000. */
  socketGraceMs: {
    type: 'ms',
    default: 4000,
    min: 0,
    max: 86_400_000,
    isRecorded: true,
    notWithBypass: true,
    command: {
      group: 'buffer',
      long: 'socket-grace',
      argument: 'TIME',
      help: 'remember sockets for this long after their end',
    },
  },
} as const satisfies OptionSpecs

/** The options of sockets with every default filled in. */
export type SocketSettings = SettingsOf<typeof socketOptions>
