/** The first message of a client of TLS. Never throws, whatever the bytes are. */

const HANDSHAKE_RECORD = 22
const CLIENT_HELLO = 1
const RECORD_BYTES = 5
const HANDSHAKE_BYTES = 4
const SERVER_NAME = 0
const HOST_NAME = 0
const PROTOCOLS = 16
const SUPPORTED_VERSIONS = 43
const ENCRYPTED_HELLO = 0xfe0d
/** Longer names are none of the DNS. */
const MAX_NAME_BYTES = 255
const MAX_PROTOCOLS = 16
const MAX_EXTENSIONS = 256
/** A longer message is not read. */
export const MAX_HELLO_BYTES = 16_384

const VERSIONS: Readonly<Record<number, string>> = {
  0x0300: 'SSLv3',
  0x0301: 'TLSv1.0',
  0x0302: 'TLSv1.1',
  0x0303: 'TLSv1.2',
  0x0304: 'TLSv1.3',
}

/** What a client says of itself. */
export interface Hello {
  /** In lower case, with `\DDD` for what is no printable character of ASCII. */
  readonly serverName: string | undefined
  /** What it would speak, as ALPN has it. */
  readonly protocols: readonly string[]
  /** The newest version that it offers. */
  readonly version: string | undefined
  /** It may have said more in an encrypted message: then the name may be that of who is in front of the server. */
  readonly isEncrypted: boolean
}

/** The message at the beginning of a stream; `more` if it has not ended, `none` if it is another one. */
export function helloOf(stream: Buffer): Hello | 'more' | 'none' {
  const message = handshakeOf(stream)
  if (typeof message === 'string') return message
  if ((message[0] ?? CLIENT_HELLO) !== CLIENT_HELLO) return 'none'
  if (message.length < HANDSHAKE_BYTES) return 'more'
  const length = message.readUIntBE(1, 3)
  if (length > MAX_HELLO_BYTES) return 'none'
  if (message.length < HANDSHAKE_BYTES + length) return 'more'
  return new Reader(message.subarray(HANDSHAKE_BYTES, HANDSHAKE_BYTES + length)).hello()
}

/** What records carry, put together. */
function handshakeOf(stream: Buffer): Buffer | 'more' | 'none' {
  const parts: Buffer[] = []
  let at = 0
  while (at < stream.length) {
    if (stream[at] !== HANDSHAKE_RECORD || (stream[at + 1] ?? 3) !== 3) break
    if (at + RECORD_BYTES > stream.length) break
    const end = at + RECORD_BYTES + stream.readUInt16BE(at + 3)
    parts.push(stream.subarray(at + RECORD_BYTES, end))
    at = end
  }
  if (at === 0 && stream.length > 0 && stream[0] !== HANDSHAKE_RECORD) return 'none'
  if (stream.length > 1 && stream[1] !== 3) return 'none'
  return parts.length === 0 ? 'more' : Buffer.concat(parts)
}

/** Reads numbers and lists, each behind its length. */
class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  hello(): Hello | 'none' {
    const version = this.#number(2)
    this.#at += 32
    // Of the session, ciphers, ways to compress.
    if (this.#list(1) === undefined || this.#list(2) === undefined || this.#list(1) === undefined)
      return 'none'
    const found = {
      serverName: undefined as string | undefined,
      protocols: [] as readonly string[],
      version: version === undefined ? undefined : VERSIONS[version],
      isEncrypted: false,
    }
    const extensions = new Reader(this.#list(2) ?? EMPTY)
    for (let count = 0; count < MAX_EXTENSIONS; count++) {
      const type = extensions.#number(2)
      const data = extensions.#list(2)
      if (type === undefined || data === undefined) break
      if (type === SERVER_NAME) found.serverName ??= new Reader(data).#serverName()
      else if (type === PROTOCOLS) found.protocols = new Reader(data).#protocols()
      else if (type === SUPPORTED_VERSIONS) found.version = new Reader(data).#newest() ?? found.version
      else if (type === ENCRYPTED_HELLO) found.isEncrypted = true
    }
    return found
  }

  #serverName(): string | undefined {
    const names = new Reader(this.#list(2) ?? EMPTY)
    const type = names.#number(1)
    const name = names.#list(2)
    if (type !== HOST_NAME || name === undefined || name.length === 0) return undefined
    return name.length > MAX_NAME_BYTES ? undefined : printable(name).toLowerCase()
  }

  #protocols(): string[] {
    const list = new Reader(this.#list(2) ?? EMPTY)
    const protocols: string[] = []
    for (let one = list.#list(1); one !== undefined; one = list.#list(1)) {
      if (protocols.length < MAX_PROTOCOLS) protocols.push(printable(one))
    }
    return protocols
  }

  #newest(): string | undefined {
    const list = new Reader(this.#list(1) ?? EMPTY)
    let newest = 0
    for (let one = list.#number(2); one !== undefined; one = list.#number(2)) {
      if (VERSIONS[one] !== undefined) newest = Math.max(newest, one)
    }
    return VERSIONS[newest]
  }

  #number(sizeBytes: number): number | undefined {
    if (this.#at + sizeBytes > this.#bytes.length) {
      this.#at = this.#bytes.length
      return undefined
    }
    this.#at += sizeBytes
    return this.#bytes.readUIntBE(this.#at - sizeBytes, sizeBytes)
  }

  #list(lengthBytes: number): Buffer | undefined {
    const length = this.#number(lengthBytes)
    if (length === undefined || this.#at + length > this.#bytes.length) return undefined
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }
}

const EMPTY = Buffer.alloc(0)

function printable(bytes: Buffer): string {
  return bytes
    .toString('latin1')
    .replaceAll(/[^\x21-\x7e]|\\/g, (character) => `\\${String(character.charCodeAt(0)).padStart(3, '0')}`)
}
