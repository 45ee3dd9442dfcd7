/** What a terminal shows of bytes that are written to it, or typed: what its line discipline makes of them (termios(3)). */

/** Flags of a terminal, as Linux numbers them (include/uapi/asm-generic/termbits.h). */
export interface Modes {
  readonly inputFlags: number
  readonly outputFlags: number
  readonly localFlags: number
}

const INLCR = 0o100
const IGNCR = 0o200
const ICRNL = 0o400
const OPOST = 0o1
const ONLCR = 0o4
const ICANON = 0o2
const ECHO = 0o10
const ECHOE = 0o20
const ECHOCTL = 0o1000

const BACKSPACE = 0x08
const TAB = 0x09
const NEWLINE = 0x0a
const RETURN = 0x0d
const DELETE = 0x7f
const CARET = 0x5e
/** Ctrl-D ends a line without a sign. */
const END_OF_FILE = 0x04

/** Output: without a flag a line end only moves the cursor down. */
export function shownOutput(bytes: Uint8Array, { outputFlags }: Modes): Uint8Array {
  if ((outputFlags & OPOST) === 0 || (outputFlags & ONLCR) === 0 || !bytes.includes(NEWLINE)) return bytes
  const shown: number[] = []
  for (const byte of bytes) {
    if (byte === NEWLINE) shown.push(RETURN)
    shown.push(byte)
  }
  return Uint8Array.from(shown)
}

/**
 * What is typed, as a terminal echoes it. Characters that edit the line are those that terminals have at first; where
 * an erased character was is not known, nor how wide it was.
 */
export function shownInput(bytes: Uint8Array, modes: Modes): Uint8Array {
  if ((modes.localFlags & ECHO) === 0) return new Uint8Array(0)
  const shown: number[] = []
  for (const typed of bytes) {
    const byte = translated(typed, modes)
    if (byte !== undefined) echo(byte, modes, shown)
  }
  return shownOutput(Uint8Array.from(shown), modes)
}

/** A byte as programs read it; undefined for none. */
function translated(byte: number, { inputFlags }: Modes): number | undefined {
  if (byte === RETURN) {
    if ((inputFlags & IGNCR) !== 0) return undefined
    return (inputFlags & ICRNL) === 0 ? byte : NEWLINE
  }
  return byte === NEWLINE && (inputFlags & INLCR) !== 0 ? RETURN : byte
}

function echo(byte: number, { localFlags }: Modes, shown: number[]): void {
  const isCanonical = (localFlags & ICANON) !== 0
  if (isCanonical && byte === DELETE && (localFlags & ECHOE) !== 0) {
    shown.push(BACKSPACE, 0x20, BACKSPACE)
    return
  }
  if (isCanonical && byte === END_OF_FILE) return
  const isControl = (byte < 0x20 && byte !== NEWLINE && byte !== TAB) || byte === DELETE
  if (isControl && (localFlags & ECHOCTL) !== 0) shown.push(CARET, byte ^ 0x40)
  else shown.push(byte)
}
