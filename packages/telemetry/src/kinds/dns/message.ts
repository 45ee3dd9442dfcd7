/** Messages of the DNS. What is cut or broken is decoded as far as it goes; never throws, whatever the bytes are. */

import { library } from './library.js'
import { nameAt } from './name.js'
import { dataText } from './rdata.js'

const HEADER_BYTES = 12
/** Type, class, time and length of a record, behind its name. */
const RECORD_BYTES = 10
const MAX_QUESTIONS = 64
/** Records of all sections that are looked at, and answers that are kept. */
const MAX_RECORDS = 128
export const MAX_ANSWERS = 32
/** The types of answers that are addresses. */
export const TYPE_A_AND_AAAA: ReadonlySet<string> = new Set(['A', 'AAAA'])
const TYPE_OPT = 41
const CLIENT_SUBNET = 8
/** Of the class of mDNS: the answer may come to the asker alone; what is kept of others is to be forgotten. */
const MDNS_BIT = 0x8000

/** Flags of the header by their masks, as ECS lists them. */
const FLAGS: readonly (readonly [number, string])[] = [
  [0x0400, 'AA'],
  [0x0200, 'TC'],
  [0x0100, 'RD'],
  [0x0080, 'RA'],
  [0x0020, 'AD'],
  [0x0010, 'CD'],
]

/** Types that the library has no name for. */
const MORE_TYPES: Readonly<Record<number, string>> = { 64: 'SVCB', 65: 'HTTPS', 256: 'URI' }

/** What a message asks for first. */
export interface DnsQuestion {
  readonly name: string
  readonly type: string
  readonly class: string
}

/** A record of the answer section. */
export interface DnsAnswer extends DnsQuestion {
  readonly ttlS: number
  /** As text: an address, a name, or what master files have. */
  readonly data: string
}

/** What is known of a message. */
export interface DnsMessage {
  readonly id: number
  readonly isAnswer: boolean
  readonly opcode: string
  readonly rcode: string
  readonly flags: readonly string[]
  readonly question: DnsQuestion | undefined
  readonly questionCount: number
  /** The first of them. */
  readonly answers: readonly DnsAnswer[]
  readonly answerCount: number
  readonly clientSubnet: string | undefined
  /** It is no message as the standard has them, from some place on. */
  readonly isMalformed: boolean
}

/** The message in some bytes, of which it may have more; undefined without a header. */
export function messageOf(bytes: Buffer, wholeBytes: number, isMdns: boolean): DnsMessage | undefined {
  if (bytes.length < HEADER_BYTES) return undefined
  const word = (at: number): number => bytes.readUInt16BE(at)
  const bits = word(2)
  const [questionCount, answerCount] = [word(4), word(6)]
  const parts = new Parts(bytes, isMdns)
  const [question] = parts.questions(questionCount)
  const records = parts.records(answerCount, answerCount + word(8) + word(10))
  const extension = extensionOf(records.options)
  const flags = FLAGS.flatMap(([mask, name]) => ((bits & mask) === 0 ? [] : [name]))
  return {
    id: word(0),
    isAnswer: (bits & 0x8000) !== 0,
    opcode: library().opcodeName((bits >> 11) & 15),
    rcode: library().rcodeName((extension.rcode << 4) | (bits & 15)),
    flags: extension.isSigned ? [...flags, 'DO'] : flags,
    question,
    questionCount,
    answers: records.answers,
    answerCount,
    clientSubnet: extension.clientSubnet,
    isMalformed: parts.isBroken && bytes.length >= wholeBytes,
  }
}

interface Records {
  readonly answers: readonly DnsAnswer[]
  /** Record with the options of EDNS, as the library has it. */
  readonly options: unknown
}

/** The sections of a message, one after the other. */
class Parts {
  isBroken = false
  /** Where records begin is not known: more questions are there than are read. */
  #isGivenUp = false
  readonly #bytes: Buffer
  readonly #isMdns: boolean
  #at = HEADER_BYTES

  constructor(bytes: Buffer, isMdns: boolean) {
    this.#bytes = bytes
    this.#isMdns = isMdns
  }

  questions(count: number): DnsQuestion[] {
    const questions: DnsQuestion[] = []
    while (questions.length < count && !this.isBroken) {
      if (questions.length === MAX_QUESTIONS) {
        this.#isGivenUp = true
        break
      }
      const name = nameAt(this.#bytes, this.#at)
      if (name === undefined || name.end + 4 > this.#bytes.length) {
        this.isBroken = true
        // Its name may be whole.
        if (name !== undefined) questions.push({ name: name.name, type: '', class: '' })
        break
      }
      questions.push({ name: name.name, ...this.#typeAt(name.end) })
      this.#at = name.end + 4
    }
    return questions
  }

  records(answerCount: number, count: number): Records {
    const answers: DnsAnswer[] = []
    let options: unknown
    const most = this.#isGivenUp ? 0 : Math.min(count, MAX_RECORDS)
    for (let seen = 0; seen < most && !this.isBroken; seen++) {
      const start = this.#at
      const name = nameAt(this.#bytes, start)
      const data = (name?.end ?? 0) + RECORD_BYTES
      if (name === undefined || data > this.#bytes.length) {
        this.isBroken = true
        break
      }
      const end = data + this.#bytes.readUInt16BE(data - 2)
      if (end > this.#bytes.length) this.isBroken = true
      const type = this.#bytes.readUInt16BE(name.end)
      if (seen < answerCount && answers.length < MAX_ANSWERS && !this.isBroken) {
        const text = dataText(this.#bytes.subarray(0, end), type, { start, data })
        if (text === undefined) this.isBroken = true
        else {
          const ttlS = this.#bytes.readUInt32BE(name.end + 4)
          answers.push({ name: name.name, ...this.#typeAt(name.end), ttlS, data: text })
        }
      } else if (type === TYPE_OPT && seen >= answerCount) options = this.#library(start, end)
      this.#at = end
    }
    return { answers, options }
  }

  #typeAt(at: number): { type: string; class: string } {
    const type = this.#bytes.readUInt16BE(at)
    const bits = this.#bytes.readUInt16BE(at + 2)
    return {
      type: typeText(type),
      class: library()
        .className(this.#isMdns ? bits & ~MDNS_BIT : bits)
        .replace('UNKNOWN_', 'CLASS'),
    }
  }

  #library(start: number, end: number): unknown {
    try {
      return library().answer.decode(this.#bytes.subarray(0, end), start)
    } catch {
      this.isBroken = true
      return undefined
    }
  }
}

function typeText(type: number): string {
  return MORE_TYPES[type] ?? library().typeName(type).replace('UNKNOWN_', 'TYPE')
}

interface Extension {
  /** Upper bits of the code of the response. */
  readonly rcode: number
  readonly isSigned: boolean
  readonly clientSubnet: string | undefined
}

interface ExtensionRecord {
  readonly extendedRcode: number
  readonly flag_do: boolean
  readonly options: readonly { code: number; ip?: string; sourcePrefixLength?: number }[]
}

/** What EDNS adds. */
function extensionOf(record: unknown): Extension {
  if (record === undefined) return { rcode: 0, isSigned: false, clientSubnet: undefined }
  const { extendedRcode, flag_do, options } = record as ExtensionRecord
  const subnet = options.find(({ code, ip }) => code === CLIENT_SUBNET && ip !== undefined)
  return {
    rcode: extendedRcode,
    isSigned: flag_do,
    clientSubnet: subnet === undefined ? undefined : `${subnet.ip}/${subnet.sourcePrefixLength ?? 0}`,
  }
}
