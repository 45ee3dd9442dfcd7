import type { OptionSpecs, SettingsOf } from '../../options/spec.js'

/** Options about TLS. */
export const tlsOptions = {
  /** Also the names that clients of TLS ask for when they connect. Default false. */
  tls: {
    type: 'flag',
    default: false,
    isKindSwitch: true,
    command: {
      group: 'watch',
      long: 'tls',
      help: 'also show the names of servers that TLS is spoken with',
    },
  },
  /** Ports of servers. Default: 443. */
  tlsPorts: {
    type: 'numbers',
    min: 1,
    max: 65_535,
    item: 'port',
    command: {
      group: 'watch',
      long: 'tls-ports',
      argument: 'PORT',
      byDefault: '443',
      help: 'ports of servers; several with commas between',
    },
  },
} as const satisfies OptionSpecs

/** The options of TLS with every default filled in. */
export type TlsSettings = SettingsOf<typeof tlsOptions>

/** Ports of servers unless others are given. */
export const TLS_PORTS: readonly number[] = [443]
