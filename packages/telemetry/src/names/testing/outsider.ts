/**
 * Another machine, as far as this one can see: a Python program behind a device of its own (tun), whose packets no socket of
 * this machine sends.
 */

import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'

/** The address of this machine at the device, and that of the other one. */
export const HERE = '10.77.9.1'
export const ELSEWHERE = '10.77.9.2'

/** A connection or a datagram of the other machine; its payloads as hexadecimal digits, each a packet. */
export interface Visit {
  readonly transport: 'tcp' | 'udp'
  readonly fromPort: number
  readonly port: number
  readonly payloads: readonly string[]
  /** It waits for so many bytes that come back. */
  readonly answerBytes: number
}

/** Why there can be none; undefined if there can. */
export const outsiderProblem: string | undefined = !existsSync('/dev/net/tun')
  ? 'needs /dev/net/tun'
  : spawnSync('python3', ['--version']).status === 0
    ? undefined
    : 'needs python3'

/** A program of Python that runs, and has printed that it is ready. */
export class Script implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>
  readonly #lines: AsyncIterator<string>

  private constructor(args: readonly string[]) {
    const child = spawn('python3', args, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#child = child
    this.#ended = once(child, 'exit')
    this.#lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  }

  static async start(...args: readonly string[]): Promise<Script> {
    const script = new Script(args)
    assert.equal(await script.line(), 'ready')
    return script
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  async line(): Promise<string> {
    return String((await this.#lines.next()).value)
  }

  write(line: string): void {
    this.#child.stdin?.end(`${line}\n`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }
}

/** The other machine. */
export class Outsider implements AsyncDisposable {
  readonly #script: Script

  private constructor(script: Script) {
    this.#script = script
  }

  /** The device and the addresses are there. */
  static async start(): Promise<Outsider> {
    return new Outsider(await Script.start('-c', PROGRAM, HERE, ELSEWHERE))
  }

  /** Makes visits one after the other. */
  async visit(visits: readonly Visit[]): Promise<void> {
    this.#script.write(JSON.stringify(visits))
    assert.equal(await this.#script.line(), 'done')
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#script[Symbol.asyncDispose]()
  }
}

/** It prints `ready`, reads visits as JSON, makes them, and prints `done`. */
const PROGRAM = String.raw`
import fcntl, json, os, select, socket, struct, sys
here, elsewhere = sys.argv[1:]
tun = os.open('/dev/net/tun', os.O_RDWR)
name = b'quark%d' % (os.getpid() % 100000)
fcntl.ioctl(tun, 0x400454ca, struct.pack('16sH22x', name, 0x1001))
control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
def address(request, text):
    fcntl.ioctl(control, request, struct.pack('16sH2x4s24x', name, socket.AF_INET, socket.inet_aton(text))[:40])
address(0x8916, here)
address(0x891c, '255.255.255.0')
fcntl.ioctl(control, 0x8914, struct.pack('16sH22x', name, 0x41))

def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
    while total >> 16: total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff
ends = socket.inet_aton(elsewhere) + socket.inet_aton(here)
def send(protocol, transport, at):
    sum = checksum(ends + struct.pack('!BBH', 0, protocol, len(transport)) + transport)
    transport = transport[:at] + struct.pack('!H', sum) + transport[at + 2:]
    header = struct.pack('!BBHHHBBH', 0x45, 0, 20 + len(transport), 0, 0x4000, 64, protocol, 0) + ends
    header = header[:10] + struct.pack('!H', checksum(header)) + header[12:]
    os.write(tun, header + transport)
def receive(protocol, port):
    while select.select([tun], [], [], 20)[0]:
        packet = os.read(tun, 65536)
        if packet[0] >> 4 != 4 or packet[9] != protocol: continue
        transport = packet[(packet[0] & 15) * 4:]
        if struct.unpack_from('!H', transport, 2)[0] == port: return transport
    raise TimeoutError('no packet came')

def visit(transport, fromPort, port, payloads, answerBytes):
    payloads = [bytes.fromhex(payload) for payload in payloads]
    if transport == 'udp':
        for payload in payloads:
            send(17, struct.pack('!HHHH', fromPort, port, 8 + len(payload), 0) + payload, 6)
        if answerBytes: receive(17, fromPort)
        return
    sequence, expected = 1000, 0
    def segment(flags, payload=b''):
        send(6, struct.pack('!HHIIBBHHH', fromPort, port, sequence, expected, 0x50, flags, 64000, 0, 0) + payload, 16)
    segment(2)
    expected = struct.unpack_from('!I', receive(6, fromPort), 4)[0] + 1
    sequence += 1
    segment(16)
    for payload in payloads:
        segment(24, payload)
        sequence += len(payload)
    count = 0
    while True:
        got = receive(6, fromPort)
        size = len(got) - (got[12] >> 4) * 4
        # What was sent once more is counted once.
        if size > 0 and struct.unpack_from('!I', got, 4)[0] == expected:
            count += size; expected += size
            segment(16)
        # All has arrived, and come.
        if count >= answerBytes and struct.unpack_from('!I', got, 8)[0] == sequence: break
    segment(4)

print('ready', flush=True)
for one in json.loads(sys.stdin.readline()): visit(**one)
print('done', flush=True)
`
