/** Situations of terminals, for tests: what a program of its own does at a pseudo-terminal. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, openSync, readSync, writeSync, writevSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Plain } from '../../../testing/activities.js'
import { ioctl, pipe, splice } from '../../../testing/native.js'
import type { SituationsOf } from '../../../testing/situations.js'
import type { QuarkEvent } from '../../index.js'
import type { TtyEvent } from '../events.js'

/** Requests of ioctl(2), as Linux numbers them (include/uapi/asm-generic/ioctls.h). */
const TCGETS = 0x5401
const TCSETS = 0x5402
const TIOCSWINSZ = 0x5414
const TIOCGPTN = 0x8004_5430
const TIOCSPTLCK = 0x4004_5431
/** `struct termios`, and where `c_lflag` is in it. */
const TERMIOS_BYTES = 64
const LOCAL_FLAGS = 3
const ECHO = 0o10

/** Most bytes of a write that the tests keep. */
export const KEPT_BYTES = 2048

export const LARGE = Array.from({ length: 800 }, (_, i) => `${String(i).padStart(6, '0')};`).join('')

/** What the program reports. */
export interface TtyFacts {
  readonly pid: number
  /** Number of the pseudo-terminal. */
  readonly tty: number
  /** Bytes that were written until the terminal was full. */
  readonly fullBytes: number
  /** The process that has another one as its controlling terminal, and writes to /dev/tty; and that terminal. */
  readonly second: { readonly pid: number; readonly tty: number }
}

/** What is written to the terminal before it is filled: what a record is to have of it, one character a byte. */
export const WRITES: readonly { readonly text: string; readonly origin?: 'typed' }[] = [
  { text: 'hello\n' },
  { text: 'one two three\n' },
  { text: '\xff\0\x1b[1m\xc3\xb6' },
  ...Array.from({ length: 20 }, (_, i) => ({ text: `${i};` })),
  { text: LARGE },
  { text: 'typed\r', origin: 'typed' },
]

class Terminal {
  readonly master = openSync('/dev/ptmx', constants.O_RDWR | constants.O_NOCTTY)
  readonly number: number

  constructor() {
    ioctl(this.master, TIOCSPTLCK, new Uint8Array(4))
    const number = new Uint32Array(1)
    ioctl(this.master, TIOCGPTN, new Uint8Array(number.buffer))
    this.number = number[0] as number
  }

  open(flags = 0): number {
    return openSync(`/dev/pts/${this.number}`, constants.O_RDWR | constants.O_NOCTTY | flags)
  }
}

function setEcho(fd: number, isOn: boolean): void {
  const flags = new Uint32Array(TERMIOS_BYTES / 4)
  const bytes = new Uint8Array(flags.buffer)
  ioctl(fd, TCGETS, bytes)
  const local = flags[LOCAL_FLAGS] as number
  flags[LOCAL_FLAGS] = isOn ? local | ECHO : local & ~ECHO
  ioctl(fd, TCSETS, bytes)
}

function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

/** Writes until the terminal takes no more. */
function fill(fd: number): number {
  const bytes = Buffer.alloc(1500, 'f')
  let total = 0
  for (;;) {
    try {
      total += writeSync(fd, bytes)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return total
      throw error
    }
  }
}

/** The program. */
async function act(): Promise<TtyFacts> {
  const terminal = new Terminal()
  const { master } = terminal
  const fd = terminal.open()
  ioctl(fd, TIOCSWINSZ, new Uint8Array(Uint16Array.of(30, 100, 0, 0).buffer))
  writeSync(fd, 'hello\n')
  writevSync(fd, ['one ', 'two ', 'three\n'].map(latin1))
  writeSync(fd, latin1('\xff\0\x1b[1m\xc3\xb6'))
  for (let i = 0; i < 20; i += 1) writeSync(fd, `${i};`)
  writeSync(fd, LARGE)
  setEcho(fd, false)
  writeSync(master, 'secret\r')
  setEcho(fd, true)
  writeSync(master, 'typed\r')
  const second = new Terminal()
  const leader = spawn(process.execPath, [FILE, String(second.number)], {
    stdio: ['ignore', 'ignore', 'inherit'],
    detached: true,
  })
  const [status] = (await once(leader, 'close')) as [number | null]
  if (status !== 0) throw new Error(`The second program ended with ${status}`)
  // It waits for nobody to read.
  const fullBytes = fill(terminal.open(constants.O_NONBLOCK))
  const read = Buffer.alloc(65_536)
  for (let left = fullBytes; left > 0;) left -= readSync(master, read)
  const [from, to] = pipe()
  writeSync(to, 'through a pipe\n')
  splice(from, fd, 15)
  closeSync(master)
  try {
    writeSync(fd, 'to nobody')
  } catch {
    // It is hung up.
  }
  return {
    pid: process.pid,
    tty: terminal.number,
    fullBytes,
    second: { pid: leader.pid as number, tty: second.number },
  }
}

/** Another program, which leads a session: the first terminal that it opens controls it. */
function control(tty: string): void {
  openSync(`/dev/pts/${tty}`, constants.O_RDWR)
  writeSync(openSync('/dev/tty', constants.O_RDWR), 'to /dev/tty\n')
}

const FILE = fileURLToPath(import.meta.url)

/** Runs all of them. */
export async function runSituations(): Promise<TtyFacts> {
  const child = spawn(process.execPath, [FILE, 'act'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 60_000,
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  if (code !== 0) throw new Error(`The program ended with ${code ?? signal}: ${output}`)
  return JSON.parse(output) as TtyFacts
}

const TERMINAL = { columns: 100, rows: 30, driver: 'pty_slave' }

/** One of what the first program writes. */
function written(index: number, tty: unknown): Plain {
  const { text, origin = 'output' } = WRITES[index] ?? WRITES[0]!
  const missingBytes = Math.max(0, text.length - KEPT_BYTES)
  return {
    text: text.slice(0, KEPT_BYTES),
    origin,
    writtenBytes: text.length,
    missingBytes,
    terminal: `pts/${String(tty)}`,
    ...TERMINAL,
  }
}

/** What is said of an event, one character a byte. */
function said({ text, data, origin, writtenBytes, missingBytes, ...event }: TtyEvent): Plain {
  const bytes = data ?? text
  const { terminal, columns, rows, driver } = event
  const all = {
    text: bytes === undefined ? undefined : Buffer.from(bytes).toString('latin1'),
    origin,
    writtenBytes,
    missingBytes,
    terminal,
    columns,
    rows,
    driver,
  }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}

/** What the programs write to terminals. */
export const situations: SituationsOf = {
  options: { tty: true, maxTtyBytes: KEPT_BYTES },
  run: async () => ({ ...(await runSituations()) }),
  observe: ({ pid, tty, fullBytes, ...facts }, events) => {
    const second = facts['second'] as TtyFacts['second']
    const of = (index: number): Plain => written(index, tty)
    const ours = events
      .filter((event): event is TtyEvent & QuarkEvent => event.kind === 'tty')
      .filter((event) => event.pid === pid || event.pid === second.pid)
    const isFilling = ({ text = '' }: TtyEvent): boolean => /^f+$/.test(text)
    const filling = ours.filter(isFilling)
    const filled = filling.reduce((sum, { writtenBytes }) => sum + writtenBytes, 0)
    return {
      situations: [
        { name: 'write(2)', expected: [of(0)] },
        { name: 'writev(2) of three pieces', expected: [of(1)] },
        { name: 'bytes that are no text, and escapes', expected: [of(2)] },
        { name: 'twenty short writes', expected: Array.from({ length: 20 }, (_, i) => of(i + 3)) },
        { name: 'more than is kept of a write', expected: [of(23)] },
        { name: 'typed where it is not shown', expected: [] },
        { name: 'typed where it is shown', expected: [of(24)] },
        {
          name: '/dev/tty',
          expected: [
            {
              text: 'to /dev/tty\n',
              origin: 'output',
              writtenBytes: 12,
              missingBytes: 0,
              terminal: `pts/${second.tty}`,
              driver: 'pty_slave',
            },
          ],
        },
        { name: 'writes until the terminal takes no more', expected: [{ filled: fullBytes }] },
        {
          name: 'splice(2)',
          expected: [
            {
              origin: 'output',
              writtenBytes: 15,
              missingBytes: 15,
              terminal: `pts/${String(tty)}`,
              ...TERMINAL,
            },
          ],
        },
        { name: 'a terminal that is hung up', expected: [] },
      ],
      seen: [...ours.filter((event) => !isFilling(event)).map(said), ...(filled > 0 ? [{ filled }] : [])],
    }
  },
}

if (process.argv[1] === FILE) {
  const [, , what = ''] = process.argv
  if (what === 'act') process.stdout.write(JSON.stringify(await act()))
  else control(what)
}
