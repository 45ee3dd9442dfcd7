/** Fetch arguments as texts, and their values. */

/** Longest text of an argument without its name (MAX_ARGSTR_LEN in kernel/trace/trace_probe.h). */
export const MAX_FETCH_CHARS = 63
/** Pointers that one argument can follow (FETCH_INSN_MAX less what begins and ends it). */
const MAX_FETCH_DEREFS = 12

/** One argument of a kprobe event. */
export interface FetchArg {
  readonly name: string
  /** What follows the name's `=`: location and type. */
  readonly text: string
  /** Bytes in the fixed part of the event. */
  readonly sizeBytes: number
  /** Most bytes of the string behind it; 0 when it has none. */
  readonly maxStringBytes: number
}

/** The values of the arguments of one hit, by their place in `FetchPlan.args`. */
export interface FetchedValues {
  /** An unsigned number. */
  number(index: number): bigint
  /** The bytes of an array, or of a string with its end. They are the caller's. */
  bytes(index: number): Buffer
}

/** Takes a value out of what was fetched. */
export type ReadValue<T> = (values: FetchedValues) => T

/** Gathers arguments; the same text is fetched once. */
export class FetchArgs {
  readonly list: FetchArg[] = []
  readonly #indexes = new Map<string, number>()

  /** The index of a number, fetched from the address that `text` computes; undefined when that is too long. */
  number(text: string, sizeBytes: number): number | undefined {
    return this.#add(`${text}:u${sizeBytes * 8}`, sizeBytes, 0)
  }

  /** As `number`: `count` words from the address on. */
  words(text: string, count: number): number | undefined {
    return this.#add(`${text}:u64[${count}]`, count * 8, 0)
  }

  /** As `number`: a string in kernel memory. */
  string(text: string, maxStringBytes: number): number | undefined {
    return this.#add(`${text}:string`, 4, maxStringBytes)
  }

  #add(text: string, sizeBytes: number, maxStringBytes: number): number | undefined {
    const derefs = text.split('(').length - 1
    if (text.length > MAX_FETCH_CHARS || derefs > MAX_FETCH_DEREFS) return undefined
    const known = this.#indexes.get(text)
    if (known !== undefined) return known
    const index = this.list.length
    this.list.push({ name: `a${index}`, text, sizeBytes, maxStringBytes })
    this.#indexes.set(text, index)
    return index
  }
}

/** Memory at `offset` from a pointer, as an argument writes it. */
export function fetchAt(offset: number, pointer: string): string {
  return `${offset < 0 ? '' : '+'}${offset}(${pointer})`
}
