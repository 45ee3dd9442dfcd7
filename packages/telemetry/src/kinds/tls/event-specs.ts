/** Declaration of the event of TLS. */

import type { EventSpec } from '../../event/spec.js'
import { endpointText, isIpv4 } from '../../names/address.js'
import { processObject } from '../../process/spec.js'
import { processColumns } from '../../process/text.js'
import type { TlsEvent } from './events.js'

const { uid, parentPid, parentName } = processColumns

const tlsSpec: EventSpec<TlsEvent> = {
  kind: 'tls',
  doc: 'A process begins to speak TLS, or somebody else does with a server of this machine; of a process, with `sockets` that is told by `remoteName` of its connection, unless the opening of that was delivered before',
  subject: ({ pid, process }) => process?.pid ?? pid ?? 0,
  repeats: () => true,
  madeWith: 'tls',
  fields: {
    direction: {
      type: 'word',
      words: ['outbound', 'inbound'],
      doc: 'who begins: `outbound` is a process of this machine, whose server may be on it as well; `inbound` somebody else',
      isAlwaysKnown: true,
      dump: 'TLS.ends direction',
      ecs: {
        path: 'network.direction',
        value: ({ direction }) => (direction === 'inbound' ? 'ingress' : 'egress'),
      },
    },
    serverName: {
      type: 'string',
      roles: ['host', 'dnsName'],
      doc: 'name of the server that the client asks for (SNI), in lower case',
      dump: 'TLS server_name',
      ecs: [
        'tls.client.server_name',
        'destination.domain',
        'server.domain',
        {
          path: 'related.hosts',
          as: 'strings',
          value: ({ serverName }) => (serverName === undefined ? undefined : [serverName]),
        },
      ],
    },
    version: {
      type: 'string',
      doc: 'newest version that it offers: `TLSv1.3`',
      dump: 'TLS version',
      ecs: 'quark.tls.version',
    },
    protocols: {
      type: 'strings',
      doc: 'protocols that it offers (ALPN): `h2`, `http/1.1`',
      isAlwaysKnown: true,
      dump: 'TLS protocols',
      ecs: 'quark.tls.protocols',
    },
    isEncrypted: {
      type: 'flag',
      doc: 'it has an encrypted message, or something that looks like one: then the name may be that of who is in front of the server',
      dump: 'TLS encrypted_hello',
      ecs: 'quark.tls.is_encrypted',
    },
    pid: {
      type: 'pid',
      doc: 'of the process that opened the connection, or of the server that answered within the hold time; absent when that is not known',
      ecs: { path: 'process.pid', value: ({ pid, process }) => (process === undefined ? pid : undefined) },
    },
    clientIp: {
      type: 'string',
      doc: 'address of the client',
      isAlwaysKnown: true,
      dump: {
        at: 'TLS.ends client',
        value: ({ clientIp, clientPort }) => endpointText(clientIp, clientPort),
      },
      ecs: [
        'source.ip',
        'client.ip',
        {
          path: 'related.ip',
          as: 'strings',
          value: ({ clientIp, serverIp }) => [...new Set([clientIp, serverIp])],
        },
        {
          path: 'network.type',
          value: ({ serverIp }) => (isIpv4(serverIp) ? 'ipv4' : 'ipv6'),
          doc: 'of the packets: `ipv4` or `ipv6`',
        },
        { path: 'network.protocol', value: () => 'tls', doc: '`tls`' },
        { path: 'network.transport', value: () => 'tcp', doc: '`tcp`' },
      ],
    },
    clientPort: {
      type: 'number',
      max: 65_535,
      roles: ['port'],
      doc: 'its port',
      isAlwaysKnown: true,
      ecs: ['source.port', 'client.port'],
    },
    serverIp: {
      type: 'string',
      roles: ['host'],
      doc: 'address of the server',
      isAlwaysKnown: true,
      dump: {
        at: 'TLS.ends server',
        value: ({ serverIp, serverPort }) => endpointText(serverIp, serverPort),
      },
      ecs: ['destination.ip', 'server.ip'],
    },
    serverPort: {
      type: 'number',
      max: 65_535,
      roles: ['port'],
      doc: 'its port',
      isAlwaysKnown: true,
      ecs: ['destination.port', 'server.port'],
    },
    netNs: {
      type: 'number',
      doc: 'inode number of the network namespace',
      dump: 'TLS.ends net_inonum',
      ecs: 'quark.tls.net_ns',
    },
    socketId: {
      type: 'digits',
      doc: 'cookie of the socket, as in events of connections',
      isAlwaysKnown: true,
      dump: 'TLS.ends cookie',
      ecs: 'quark.tls.socket_id',
    },
    process: { type: 'object', object: processObject, doc: 'the process of `pid`' },
  },
  text: {
    uid,
    parentPid,
    parentName,
    sentence: ({ process, direction, serverName, clientIp, clientPort, serverIp, serverPort }) => {
      const who = process?.comm === undefined ? '' : `${process.comm} `
      if (direction === 'inbound') {
        return `${who}${serverName ?? endpointText(serverIp, serverPort)} <- ${endpointText(clientIp, clientPort)}`
      }
      const whom =
        serverName === undefined
          ? endpointText(serverIp, serverPort)
          : `${serverName} (${serverIp}):${serverPort}`
      return `${who}-> ${whom}`
    },
    word: ({ direction }) => (direction === 'inbound' ? 'tlss' : 'tls'),
    words: {
      tls: { doc: 'a process begins to speak TLS (`--tls`)', tone: 'began' },
      tlss: { doc: 'somebody else begins to speak TLS with a server of this machine', tone: 'quiet' },
    },
    notes: [
      {
        label: '',
        type: 'string',
        value: ({ version }) => version,
        doc: 'newest version that it offers',
        example: 'TLSv1.3',
      },
    ],
  },
  dump: {
    title: () => 'TLS',
    lines: [
      'TLS server_name version protocols encrypted_hello',
      'TLS.ends direction client server net_inonum cookie',
    ],
  },
  ecs: {
    action: 'tls-hello',
    category: ['network'],
    type: ['protocol'],
    dataset: 'quark.tls',
    paths: ['network', 'source', 'destination', 'client', 'server', 'tls', 'related'],
  },
}

export const tlsEvents = [tlsSpec] as const
