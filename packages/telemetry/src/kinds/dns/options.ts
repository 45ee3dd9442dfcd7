import type { OptionSpecs, SettingsOf } from '../../options/spec.js'

/** Options about names that are looked up. */
export const dnsOptions = {
  /** Also names that are looked up in the DNS, and the answers. Default false. */
  dns: {
    type: 'flag',
    default: false,
    isKindSwitch: true,
    command: {
      group: 'watch',
      long: 'dns',
      short: 'N',
      help: 'also show names that are looked up, with the answers',
    },
  },
  /** Ports of servers. Default: 53, 5353 (mDNS) and 5355 (LLMNR). */
  dnsPorts: {
    type: 'numbers',
    min: 1,
    max: 65_535,
    item: 'port',
    command: {
      group: 'watch',
      long: 'dns-ports',
      argument: 'PORT',
      byDefault: '53,5353,5355',
      help: 'ports of servers; several with commas between',
    },
  },
  /** So much is kept of a packet, headers included; what is longer is decoded as far as it goes. Default 4,096. */
  maxDnsBytes: {
    type: 'bytes',
    default: 4096,
    min: 128,
    max: 65_536,
    isRecorded: true,
    command: {
      group: 'buffer',
      long: 'max-dns',
      argument: 'SIZE',
      help: 'keep so much of a packet with a message of the DNS',
    },
  },
  /** Events have the messages as they were sent. Default false. */
  dnsPackets: {
    type: 'flag',
    default: false,
    isRecorded: true,
    command: {
      group: 'watch',
      long: 'dns-packets',
      help: 'keep messages of the DNS as they were sent, in JSON and ECS',
    },
  },
} as const satisfies OptionSpecs

/** The options of the DNS with every default filled in. */
export type DnsSettings = SettingsOf<typeof dnsOptions>

export const MDNS_PORT = 5353
export const LLMNR_PORT = 5355

/** Ports of servers unless others are given. */
export const DNS_PORTS: readonly number[] = [53, MDNS_PORT, LLMNR_PORT]
