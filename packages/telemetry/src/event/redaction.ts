/** Takes secrets out of what leaves the process. What has none is returned as it is: the same array or string. */
export interface Redaction {
  argv(argv: readonly string[]): readonly string[]
  /** NUL-terminated arguments with one character a byte. */
  argvBytes(tail: string): string
  /** Of `NAME=value` strings. */
  env(env: readonly string[]): readonly string[]
  /** The same with one character a byte. */
  envBytes(tail: string): string
  text(text: string): string
  /** The same of a text with one character a byte. */
  textBytes(text: string): string
  /** The same of what a terminal shows, whose lines may be commands. */
  terminalBytes(text: string): string
}

/** A text as it may be shown; nothing is taken out of it without a redaction. */
export function shownText(text: string, redaction: Redaction | undefined): string
export function shownText(text: string | undefined, redaction: Redaction | undefined): string | undefined
export function shownText(text: string | undefined, redaction: Redaction | undefined): string | undefined {
  return text === undefined || redaction === undefined ? text : redaction.text(text)
}

/** How the secrets of a tail of a record are looked for. */
export type TailSecrets = 'argv' | 'env' | 'text' | 'terminal'

/** Takes the secrets out of records that leave the process as they are. */
export interface RecordRedaction {
  /** The record without secrets; undefined if it has none, or is broken. */
  redacted(bytes: Uint8Array, offset: number, length: number): Uint8Array | undefined
}
