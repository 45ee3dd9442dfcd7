/** How events of the DNS are lines of text. */

import type { EventTextSpec } from '../../event/spec.js'
import { endpointText } from '../../names/address.js'
import { processColumns } from '../../process/text.js'
import type { DnsEvent } from './events.js'

/** Answers that are shown. */
const MAX_SHOWN = 4

function questionText({ name, type, questionCount }: DnsEvent): string {
  const more = questionCount > 1 ? ` and ${questionCount - 1} more` : ''
  return `${name ?? '?'}${type === undefined ? '' : ` ${type}`}${more}`
}

function answersText({ answers = [], answerCount = 0, rcode }: DnsEvent): string | undefined {
  if (rcode === undefined || rcode !== 'NOERROR') return undefined
  if (answers.length === 0) return 'nothing'
  const shown = answers.slice(0, MAX_SHOWN).map(({ data }) => data)
  const left = Math.max(answerCount, answers.length) - shown.length
  return `${shown.join(' ')}${left > 0 ? ` and ${left} more` : ''}`
}

const { uid, parentPid, parentName } = processColumns

export const dnsText: EventTextSpec<DnsEvent> = {
  uid,
  parentPid,
  parentName,
  sentence: (event) => {
    const { process, direction, actions, clientIp, clientPort, serverIp, serverPort } = event
    const who = process?.comm === undefined ? '' : `${process.comm} `
    const whom =
      direction === 'outbound'
        ? `@ ${endpointText(serverIp, serverPort)}`
        : `of ${endpointText(clientIp, clientPort)}`
    const answers = actions.includes('answer') ? answersText(event) : undefined
    return `${who}${questionText(event)}${answers === undefined ? '' : ` -> ${answers}`} ${whom}`
  },
  word: ({ direction, actions }) => {
    if (direction === 'inbound') return 'dnss'
    return actions.includes('query') ? 'dns' : 'dnsa'
  },
  words: {
    dns: {
      doc: 'a process looks a name up; the answer is in the same line if it came soon (`--dns`)',
      tone: 'began',
    },
    dnsa: { doc: 'an answer came later, or to nothing that was seen', tone: 'began' },
    dnss: { doc: 'a server of this machine was asked from elsewhere', tone: 'quiet' },
  },
  notes: [
    {
      label: '',
      type: 'word',
      value: ({ rcode }) => (rcode === 'NOERROR' ? undefined : rcode),
      tone: 'wrong',
      doc: 'why there is no answer',
      example: 'NXDOMAIN',
    },
    {
      label: 'no answer',
      type: 'flag',
      value: ({ actions }) => !actions.includes('answer'),
      doc: 'none came within the hold time',
      example: 'no answer',
    },
    {
      label: 'attempts ',
      type: 'number',
      value: ({ attempts }) => attempts,
      doc: 'how often it was asked, if more than once',
      example: 'attempts 3',
    },
    {
      label: '',
      type: 'word',
      value: ({ protocol }) => (protocol === 'dns' ? undefined : protocol),
      doc: 'mDNS or LLMNR, which ask everybody in the network',
      example: 'mdns',
    },
    {
      label: '',
      type: 'word',
      value: ({ transport }) => (transport === 'udp' ? undefined : transport),
      doc: 'over TCP',
      example: 'tcp',
    },
    {
      label: 'for ',
      type: 'string',
      value: ({ clientSubnet }) => clientSubnet,
      doc: 'network of who is asked for',
      example: 'for 192.0.2.0/24',
    },
    {
      label: 'malformed',
      type: 'flag',
      value: ({ isMalformed }) => isMalformed,
      tone: 'wrong',
      doc: 'a message is broken',
      example: 'malformed',
    },
    {
      label: 'cut',
      type: 'flag',
      value: ({ isCut }) => isCut,
      doc: 'a message is longer than what was kept of it',
      example: 'cut',
    },
    {
      label: '',
      type: 'duration',
      value: ({ latencyNs }) => latencyNs,
      doc: 'until the answer came',
      example: '12.3ms',
    },
    {
      label: 'by ',
      type: 'pid',
      value: ({ serverPid }) => serverPid,
      doc: 'pid of the server, if it is of this machine',
      example: 'by 812',
    },
  ],
}
