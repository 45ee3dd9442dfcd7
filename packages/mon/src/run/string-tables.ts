/** Strings and tables of pointers to them, as exec wants them, for the memory of another process. */

/** Where one list of strings is. */
export interface StringTable {
  /** Of the pointers, which end with a null pointer. */
  readonly address: bigint
  /** Of each string. */
  readonly strings: readonly bigint[]
}

/** Lists of strings before it is known where they will be. */
export interface StringTables {
  readonly sizeBytes: number
  /** The bytes of all, for an address that is a multiple of 8. */
  place(address: bigint): { readonly bytes: Uint8Array; readonly tables: StringTable[] }
}

/** Lays lists of NUL-terminated strings out. */
export function stringTables(lists: readonly (readonly Uint8Array[])[]): StringTables {
  const pointers = lists.reduce((count, list) => count + list.length + 1, 0)
  const strings = Buffer.concat(lists.flat())
  const tableBytes = pointers * 8
  return {
    sizeBytes: tableBytes + strings.length,
    place: (address) => {
      const words = new BigUint64Array(pointers)
      let word = 0
      let next = address + BigInt(tableBytes)
      const tables = lists.map((list) => {
        const table = address + BigInt(word * 8)
        const at = list.map(({ length }) => {
          const string = next
          words[word++] = string
          next += BigInt(length)
          return string
        })
        word += 1
        return { address: table, strings: at }
      })
      return { bytes: Buffer.concat([new Uint8Array(words.buffer), strings]), tables }
    },
  }
}
