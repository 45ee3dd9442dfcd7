/** What is known of the terminal that events go to. */

/** A terminal. */
export interface Terminal {
  /** How wide it is at the moment; undefined if it does not say. */
  columns(): number | undefined
  /** It can show nothing but ASCII, as far as the locale says. */
  readonly isAscii: boolean
}

type Environment = Readonly<Record<string, string | undefined>>

/**
 * The terminal of a stream; undefined if it is none.
 *
 * @param stream `columns` of a terminal's stream follows SIGWINCH
 */
export function terminalOf(
  stream: { readonly isTTY?: boolean; readonly columns?: number },
  environment: Environment,
): Terminal | undefined {
  if (stream.isTTY !== true) return undefined
  return { columns: () => stream.columns || columnsIn(environment), isAscii: !isUnicode(environment) }
}

/** What a shell or a user says of a terminal that does not know it. */
function columnsIn({ COLUMNS: columns = '' }: Environment): number | undefined {
  return /^[1-9]\d{0,4}$/.test(columns) ? Number(columns) : undefined
}

/** The locale of characters is the first of these that is set; without one it is C, which has ASCII. */
function isUnicode({
  LC_ALL: all = '',
  LC_CTYPE: characters = '',
  LANG: language = '',
}: Environment): boolean {
  return /utf-?8/i.test(all || characters || language)
}
