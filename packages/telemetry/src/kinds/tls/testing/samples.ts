import * as fc from 'fast-check'
import type { Made } from '../../../event/forms.js'
import { hostileText, maybe, u32, u64 } from '../../../testing/hostile-text.js'
import type { Samples } from '../../../testing/samples.js'
import type { TlsEvent } from '../events.js'

const NAMED: Made<TlsEvent> = {
  kind: 'tls',
  timeNs: 1_767_323_045_000_000_006n,
  direction: 'outbound',
  serverName: 'www.example.org',
  version: 'TLSv1.3',
  protocols: ['h2', 'http/1.1'],
  isEncrypted: true,
  pid: 4242,
  clientIp: '192.0.2.7',
  clientPort: 50_250,
  serverIp: '198.51.100.9',
  serverPort: 443,
  netNs: 4_026_531_840,
  socketId: 4107n,
  process: undefined,
}

const NAMELESS: Made<TlsEvent> = {
  ...NAMED,
  direction: 'inbound',
  serverName: undefined,
  version: undefined,
  protocols: [],
  isEncrypted: false,
  pid: undefined,
  netNs: undefined,
  clientIp: '2001:db8::7',
  serverIp: '2001:db8::9',
}

const port = fc.nat({ max: 65_535 })
const ip = fc.oneof(fc.ipV4(), fc.ipV6())

export const samples: Samples = {
  golden: [NAMED, NAMELESS],
  any: fc.record({
    kind: fc.constant('tls' as const),
    timeNs: u64,
    direction: fc.constantFrom('outbound', 'inbound'),
    serverName: maybe(hostileText),
    version: maybe(hostileText),
    protocols: fc.array(hostileText, { maxLength: 4 }),
    isEncrypted: fc.boolean(),
    pid: maybe(u32),
    clientIp: ip,
    clientPort: port,
    serverIp: ip,
    serverPort: port,
    netNs: maybe(u32),
    socketId: u64,
    process: fc.constant(undefined),
  }),
}
