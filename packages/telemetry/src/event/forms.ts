/**
 * What events and their objects can be turned into. What queues deliver decodes its members when they are read, so that
 * what is not read costs nothing: such members are not the object's own, and are in no copy that takes only those.
 */

/** A plain copy: all known members, of objects too, and nothing else. What is not known is absent. */
export type Plain<T> = T extends Uint8Array
  ? Uint8Array
  : T extends readonly (infer Item)[]
    ? readonly Plain<Item>[]
    : T extends object
      ? { readonly [K in Members<T> as undefined extends T[K] ? never : K]: Plain<T[K]> } & {
          readonly [K in Members<T> as undefined extends T[K] ? K : never]?: Plain<NonNullable<T[K]>>
        }
      : T

type Members<T> = keyof {
  [K in keyof T as T[K] extends (...args: never[]) => unknown ? never : T[K] extends undefined ? never : K]: K
}

/** The forms of an event, or of an object of one; docs/events.md. */
export interface Forms<T> {
  /**
   * A plain copy, which can be cloned, sent to other threads, spread and compared. Members have the types that they have
   * here; what is not known is absent.
   */
  toObject(): Plain<T>
  /** The object that the line of JSON has: what `JSON.stringify` writes. */
  toJSON(): Record<string, unknown>
}

/** An event before it has its forms, which it gets when it is delivered: what kinds make. */
export type Made<E> = Omit<E, keyof Forms<E>>

/** What can be written in place of events of type `E`: they themselves, plain copies, and what has no forms. */
export type Writable<E> = E extends unknown ? Made<E> | Plain<E> : never

/**
 * An own member of objects that are not made for `structuredClone`: it would leave out what is decoded on reading, and
 * copy what is nobody's business. So it throws, with this text.
 */
export const NOT_CLONEABLE: symbol = Symbol(
  'an object of quark: clone the plain copy that its toObject() returns',
)
