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

/** What stands in the place of a secret begins so. */
export const REDACTION_MARK = '[REDACTED'

/** Texts of events from which something was taken, as they were: there are few. */
const realTexts = new WeakMap<object, Record<string, string>>()

/** Takes the secrets out of texts of an event, which is returned. Filters and rules still see the real ones. */
export function withoutSecrets<E extends object>(
  event: E,
  names: readonly (keyof E & string)[],
  redaction: Redaction | undefined,
): E {
  if (redaction === undefined) return event
  for (const name of names) {
    const real = event[name]
    if (typeof real !== 'string') continue
    const shown = redaction.text(real)
    if (shown === real) continue
    const known = realTexts.get(event)
    if (known === undefined) realTexts.set(event, { [name]: real })
    else known[name] = real
    event[name] = shown as (E & object)[keyof E & string]
  }
  return event
}

/** A member of an event as it was before secrets were taken out. */
export function realMember(event: object, name: string): unknown {
  return realTexts.get(event)?.[name] ?? (event as Readonly<Record<string, unknown>>)[name]
}

/** How the secrets of a tail of a record are looked for. */
export type TailSecrets = 'argv' | 'env' | 'text' | 'terminal'

/** Takes the secrets out of records that leave the process as they are. */
export interface RecordRedaction {
  /** The record without secrets; undefined if it has none, or is broken. */
  redacted(bytes: Uint8Array, offset: number, length: number): Uint8Array | undefined
}
