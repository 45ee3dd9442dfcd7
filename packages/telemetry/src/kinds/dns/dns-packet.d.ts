/** What is used of dns-packet, whose own types have only whole messages. */

declare module 'dns-packet' {
  export const answer: {
    /** The record at an offset. @throws {Error} when it is broken */
    decode(
      message: Buffer,
      offset: number,
    ): { readonly data?: unknown; readonly options?: readonly unknown[] }
  }
}

declare module 'dns-packet/types.js' {
  export function toString(type: number): string
}

declare module 'dns-packet/classes.js' {
  export function toString(type: number): string
}

declare module 'dns-packet/rcodes.js' {
  export function toString(code: number): string
}

declare module 'dns-packet/opcodes.js' {
  export function toString(code: number): string
}
