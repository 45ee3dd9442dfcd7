import type { ChildProcess } from 'node:child_process'
import type { Duplex } from 'node:stream'
import { packageFile } from '../version.js'
import { ANSWER_BYTES, launcherName, REQUEST_BYTES } from './launcher-file.js'

/** System calls that a launcher is sent, with their numbers on each processor. */
const CALLS = {
  mmap: { x64: 9, arm64: 222 },
  rt_sigaction: { x64: 13, arm64: 134 },
  rt_sigprocmask: { x64: 14, arm64: 135 },
  write: { x64: 1, arm64: 64 },
  recvfrom: { x64: 45, arm64: 207 },
  clone: { x64: 56, arm64: 220 },
  execve: { x64: 59, arm64: 221 },
  wait4: { x64: 61, arm64: 260 },
  fcntl: { x64: 72, arm64: 25 },
  setgroups: { x64: 116, arm64: 159 },
  setresuid: { x64: 117, arm64: 147 },
  setresgid: { x64: 119, arm64: 149 },
  prctl: { x64: 157, arm64: 167 },
  exit_group: { x64: 231, arm64: 94 },
  prlimit64: { x64: 302, arm64: 261 },
} as const

/** Names of those system calls. */
export type CallName = keyof typeof CALLS

const PROT_READ_WRITE = 3
const MAP_PRIVATE_ANONYMOUS = 0x22
const MSG_WAITALL = 0x100
const F_SETFD = 2
const FD_CLOEXEC = 1
const FIRST_FREE_FD = 3

/** A system call was refused. */
export class CallError extends Error {
  override readonly name = 'CallError'
  readonly code: CallName
  /** Positive errno. */
  readonly errno: number

  constructor(name: CallName, errno: number) {
    super(`${name} failed with errno ${errno}`)
    this.code = name
    this.errno = errno
  }
}

/**
 * A child that makes the system calls that it is sent. It is in this process's group, so that the terminal's keys reach it
 * and its children, and ends if this process does.
 */
export class Launcher {
  readonly pid: number
  /** Resolves when the child has ended: before it is dismissed by a signal only. */
  readonly ended: Promise<NodeJS.Signals | null>
  readonly #channel: Duplex
  readonly #fd: number
  /** The child has ended. */
  #isClosed = false
  #received: Buffer = Buffer.alloc(0)
  #wake: (() => void) | undefined

  private constructor(child: ChildProcess, fd: number) {
    this.pid = child.pid as number
    this.#fd = fd
    this.#channel = child.stdio[fd] as unknown as Duplex
    this.ended = new Promise((resolve) => child.on('exit', (_code, signal) => resolve(signal)))
    const onClose = (): void => {
      this.#isClosed = true
      this.#wake?.()
    }
    // A write to a child that is gone: what matters is known from its end.
    this.#channel.on('error', onClose).on('close', onClose).on('end', onClose)
    this.#channel.on('data', (bytes: Buffer) => {
      this.#received = Buffer.concat([this.#received, bytes])
      this.#wake?.()
    })
  }

  /**
   * Starts the child.
   *
   * @param inherited descriptors beside the first three that it is to have under the same numbers
   * @throws when it cannot be started
   */
  static async start(inherited: readonly number[] = []): Promise<Launcher> {
    const fd = Math.max(FIRST_FREE_FD - 1, ...inherited) + 1
    const stdio = Array.from({ length: fd }, (_, at) =>
      at < FIRST_FREE_FD || inherited.includes(at) ? at : ('ignore' as const),
    )
    const file = packageFile(`dist/${launcherName(process.arch)}`)
    // Loaded when it is needed: that takes some ms of a start.
    const { spawn } = process.getBuiltinModule('node:child_process')
    const child = spawn(file, new Array<string>(fd - 1).fill(''), {
      argv0: 'quark-mon',
      stdio: [...stdio, 'pipe'],
      env: {},
    })
    await new Promise<void>((resolve, reject) => {
      child.on('spawn', resolve)
      child.on('error', reject)
    })
    return new Launcher(child, fd)
  }

  /**
   * Makes a system call in the child.
   *
   * @returns the result, or undefined when the child has ended
   * @throws {CallError} when the kernel refuses
   */
  async call(name: CallName, ...values: readonly (number | bigint)[]): Promise<bigint | undefined> {
    this.#send(name, values)
    const answer = (await this.#receive(ANSWER_BYTES))?.readBigInt64LE(0)
    if (answer !== undefined && answer < 0n && answer > -4096n) throw new CallError(name, Number(-answer))
    return answer
  }

  /**
   * Gets memory in the child, and fills it.
   *
   * @param fill makes the bytes; it is told where they will be
   * @returns the address; undefined when the child has ended
   */
  async put(sizeBytes: number, fill: (address: bigint) => Uint8Array): Promise<bigint | undefined> {
    const address = await this.call('mmap', 0, sizeBytes, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0)
    if (address === undefined) return undefined
    const bytes = fill(address)
    const received = this.call('recvfrom', this.#fd, address, bytes.length, MSG_WAITALL, 0, 0)
    this.#channel.write(bytes)
    await received
    return address
  }

  /** Reads memory of the child. Undefined when it has ended. */
  async take(address: bigint, sizeBytes: number): Promise<Buffer | undefined> {
    this.#send('write', [this.#fd, address, sizeBytes])
    const bytes = await this.#receive(sizeBytes)
    await this.#receive(ANSWER_BYTES)
    return bytes
  }

  /** Lets an exec close the channel: programs are not to have it. */
  async closeOnExec(): Promise<void> {
    await this.call('fcntl', this.#fd, F_SETFD, FD_CLOEXEC)
  }

  /** Ends a child that is not needed: nobody speaks to it any more. */
  dismiss(): void {
    this.#channel.destroy()
  }

  #send(name: CallName, values: readonly (number | bigint)[]): void {
    const frame = new BigInt64Array(REQUEST_BYTES / 8)
    frame[0] = BigInt(CALLS[name][process.arch as 'x64' | 'arm64'])
    for (const [index, value] of values.entries()) frame[index + 1] = BigInt(value)
    this.#channel.write(new Uint8Array(frame.buffer))
  }

  async #receive(sizeBytes: number): Promise<Buffer | undefined> {
    while (this.#received.length < sizeBytes) {
      if (this.#isClosed) return undefined
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
    const bytes = this.#received.subarray(0, sizeBytes)
    this.#received = this.#received.subarray(sizeBytes)
    return bytes
  }
}
