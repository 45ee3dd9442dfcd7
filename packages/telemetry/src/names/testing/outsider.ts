/**
 * Another machine, as far as this one can see: a Python program behind a device of its own (tun), whose packets no socket of
 * this machine sends.
 */

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

/** The address of this machine at the device, and that of the other one. */
export const HERE = '10.77.9.1'
export const ELSEWHERE = '10.77.9.2'

/** A connection or a datagram of the other machine; its payloads as hexadecimal digits, each a packet. */
export interface Visit {
  readonly transport: 'tcp' | 'udp'
  readonly fromPort: number
  readonly port: number
  readonly payloads: readonly string[]
  /** It waits for bytes that come back. */
  readonly isAnswered: boolean
}

/** Why there can be none; undefined if there can. */
export const outsiderProblem: string | undefined = !existsSync('/dev/net/tun')
  ? 'needs /dev/net/tun'
  : spawnSync('python3', ['--version']).status === 0
    ? undefined
    : 'needs python3'

/**
 * The arguments of Python. It prints `ready` when the device is there, reads visits as JSON, makes them one after the other, and
 * prints `done`.
 */
export function outsiderArguments(): readonly string[] {
  return ['-c', PROGRAM, HERE, ELSEWHERE]
}

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

def visit(transport, fromPort, port, payloads, isAnswered):
    payloads = [bytes.fromhex(payload) for payload in payloads]
    if transport == 'udp':
        for payload in payloads:
            send(17, struct.pack('!HHHH', fromPort, port, 8 + len(payload), 0) + payload, 6)
        if isAnswered: receive(17, fromPort)
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
    while True:
        got = receive(6, fromPort)
        # Any data, or that all has arrived.
        if len(got) > (got[12] >> 4) * 4: break
        if not isAnswered and struct.unpack_from('!I', got, 8)[0] == sequence: break
    segment(4)

print('ready', flush=True)
for one in json.loads(sys.stdin.readline()): visit(**one)
print('done', flush=True)
`
