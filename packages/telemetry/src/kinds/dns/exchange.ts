/** A question with its answer, as far as they were seen. */

import type { Made } from '../../event/forms.js'
import type { ProcessRecord } from '../../process/entry.js'
import type { DnsAction, DnsEvent } from './events.js'
import { type DnsMessage, TYPE_A_AND_AAAA } from './message.js'
import { LLMNR_PORT, MDNS_PORT } from './options.js'
import { PLACE_SENT } from './records.js'

/** A message, and where and when it was seen. */
export interface SeenMessage {
  readonly message: DnsMessage
  /** Of it, as far as they were kept. */
  readonly bytes: Buffer
  readonly wholeBytes: number
  /** ns of CLOCK_BOOTTIME. */
  readonly timeNs: bigint
  readonly place: number
  readonly cookie: bigint
  readonly netNs: number | undefined
  readonly pid: number | undefined
  /** Start of the process, in ticks from boot; undefined when it is not known. */
  readonly startTicks: number | undefined
  /** Real user id of the process. */
  readonly uid: number | undefined
  readonly process: ProcessRecord | undefined
  readonly transport: 'udp' | 'tcp'
  readonly clientIp: string
  readonly clientPort: number
  readonly serverIp: string
  readonly serverPort: number
}

/** What was seen of one question. At least one of both is there. */
export interface Exchange {
  query: SeenMessage | undefined
  answer: SeenMessage | undefined
  attempts: number
  /** Of a server of this machine. */
  serverPid: number | undefined
  /** The other network namespace in which the question was received. */
  serverNetNs: number | undefined
  /** An event has what is above. */
  isDelivered: boolean
}

/** The event of an exchange. */
export interface EventOptions {
  readonly bootEpochNs: bigint
  readonly keepsMessages: boolean
  /** The question was in an event of its own. */
  readonly isAnswerOnly: boolean
}

const QUERY: readonly DnsAction[] = Object.freeze(['query' as const])
const ANSWER: readonly DnsAction[] = Object.freeze(['answer' as const])
const BOTH: readonly DnsAction[] = Object.freeze(['query' as const, 'answer' as const])

/** The question was asked here, by a process of this machine. */
export function isOutbound({ query, answer }: Exchange): boolean {
  return query === undefined ? answer?.place !== PLACE_SENT : query.place === PLACE_SENT
}

export function eventOf(exchange: Exchange, options: EventOptions): Made<DnsEvent> {
  const { query, answer, attempts, serverPid } = exchange
  const first = (query ?? answer) as SeenMessage
  const last = answer ?? first
  const { question, questionCount, opcode, id } = first.message
  // The server sends its answers itself: who was the last to send before it is not sure.
  const owner = isOutbound(exchange) || answer?.place !== PLACE_SENT ? first : answer
  const isAnswerOnly = query === undefined || options.isAnswerOnly
  const asked = question ?? answer?.message.question
  return {
    kind: 'dns',
    actions: answer === undefined ? QUERY : isAnswerOnly ? ANSWER : BOTH,
    timeNs: (isAnswerOnly ? last : first).timeNs + options.bootEpochNs,
    protocol: protocolOf(first.serverPort),
    direction: isOutbound(exchange) ? 'outbound' : 'inbound',
    transport: first.transport,
    pid: owner.pid,
    name: asked?.name,
    type: known(asked?.type),
    class: known(asked?.class),
    questionCount,
    opcode,
    dnsId: id,
    flags: last.message.flags,
    ...answerOf(answer?.message),
    clientSubnet: first.message.clientSubnet ?? answer?.message.clientSubnet,
    clientIp: first.clientIp,
    clientPort: first.clientPort,
    // What asks a group is answered by one of it.
    serverIp: (answer ?? first).serverIp,
    serverPort: first.serverPort,
    latencyNs: latencyOf(query, answer),
    attempts: attempts > 1 ? attempts : undefined,
    queryBytes: query?.wholeBytes,
    answerBytes: answer?.wholeBytes,
    isCut: isCut(query) || isCut(answer),
    isMalformed: query?.message.isMalformed === true || answer?.message.isMalformed === true,
    serverPid,
    netNs: owner.netNs,
    socketId: owner.cookie === 0n ? undefined : owner.cookie,
    queryMessage: options.keepsMessages && !options.isAnswerOnly ? query?.bytes : undefined,
    answerMessage: options.keepsMessages ? answer?.bytes : undefined,
    process: owner.process,
  }
}

function answerOf(message: DnsMessage | undefined) {
  if (message === undefined) {
    return { rcode: undefined, answers: undefined, answerCount: undefined, addresses: undefined }
  }
  const { rcode, answers, answerCount } = message
  const addresses = answers.filter(({ type }) => TYPE_A_AND_AAAA.has(type)).map(({ data }) => data)
  return {
    rcode,
    answers: answers.length === 0 ? undefined : answers,
    answerCount,
    addresses: addresses.length === 0 ? undefined : [...new Set(addresses)],
  }
}

function latencyOf(query: SeenMessage | undefined, answer: SeenMessage | undefined): bigint | undefined {
  if (query === undefined || answer === undefined) return undefined
  const ns = answer.timeNs - query.timeNs
  return ns < 0n ? undefined : ns
}

function isCut(seen: SeenMessage | undefined): boolean {
  return seen !== undefined && seen.bytes.length < seen.wholeBytes
}

function known(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}

export function protocolOf(port: number): DnsEvent['protocol'] {
  if (port === MDNS_PORT) return 'mdns'
  return port === LLMNR_PORT ? 'llmnr' : 'dns'
}
