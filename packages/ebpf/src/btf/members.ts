import { nameBytes } from './strings.js'
import { kindSet, type TypeTable } from './table.js'
import {
  BTF_KIND_ENUM,
  BTF_KIND_ENUM64,
  BTF_KIND_INT,
  BTF_KIND_STRUCT,
  BTF_KIND_UNION,
  type Member,
  type TypeId,
} from './types.js'

export const STRUCT_KINDS = kindSet(BTF_KIND_STRUCT, BTF_KIND_UNION)
export const ENUM_KINDS = kindSet(BTF_KIND_ENUM, BTF_KIND_ENUM64)

// A member is three words: name_off, type, offset.
const MEMBER_WORDS = 3

/** Finds a member by name, also inside of anonymous structs and unions; outer members win. */
export function findMember(table: TypeTable, structId: TypeId, name: string): Member | undefined {
  const text = nameBytes(name)
  const root = table.resolve(structId)
  if (text === undefined || !table.isKind(root, STRUCT_KINDS)) return undefined
  // Each struct is searched once, so that broken BTF with cycles ends.
  const seen = new Set([root])
  const pending = [{ id: root, bitOffset: 0 }]
  for (const { id, bitOffset } of pending) {
    const words = table.vlen(id) * MEMBER_WORDS
    for (let at = 0; at < words; at += MEMBER_WORDS) {
      const nameOffset = table.extra(id, at)
      if (table.strings.spells(nameOffset, text)) {
        const place = placeOf(table, id, at)
        return { name, ...place, bitOffset: bitOffset + place.bitOffset }
      }
      if (!table.strings.isEmptyAt(nameOffset)) continue
      const place = placeOf(table, id, at)
      const inner = table.resolve(place.type)
      if (table.isKind(inner, STRUCT_KINDS) && !seen.has(inner)) {
        seen.add(inner)
        pending.push({ id: inner, bitOffset: bitOffset + place.bitOffset })
      }
    }
  }
  return undefined
}

/**
 * Decodes the place of a member. There are two encodings:
 *
 *     kind_flag 1:  offset = | bit-field size : 8 | bit offset : 24 |
 *     kind_flag 0:  offset = bit offset : 32, and a bit-field has an int type narrower than its storage,
 *                   which may add an offset of its own
 */
function placeOf(table: TypeTable, structId: TypeId, at: number): Omit<Member, 'name'> {
  const type = table.extra(structId, at + 1)
  const offset = table.extra(structId, at + 2)
  if (table.kindFlag(structId)) {
    return { type, bitOffset: offset & 0xffffff, bitSize: offset >>> 24 }
  }
  const resolved = table.resolve(type)
  if (table.kindOf(resolved) === BTF_KIND_INT) {
    const encoding = table.extra(resolved, 0)
    const bits = encoding & 0xff
    const shift = (encoding >>> 16) & 0xff
    if (shift !== 0 || bits !== table.sizeOrType(resolved) * 8) {
      return { type, bitOffset: offset + shift, bitSize: bits }
    }
  }
  return { type, bitOffset: offset, bitSize: 0 }
}

/** The value of an enumerator of one enum. Beyond 2^53 it is rounded to the nearest number. */
export function enumeratorValue(table: TypeTable, enumId: TypeId, text: Uint8Array): number | undefined {
  const wide = table.kindOf(enumId) === BTF_KIND_ENUM64
  const step = wide ? 3 : 2
  const words = table.vlen(enumId) * step
  for (let at = 0; at < words; at += step) {
    if (!table.strings.spells(table.extra(enumId, at), text)) continue
    const signed = table.kindFlag(enumId)
    const low = table.extra(enumId, at + 1)
    if (!wide) return signed ? low | 0 : low
    const high = table.extra(enumId, at + 2)
    return (signed ? high | 0 : high) * 2 ** 32 + low
  }
  return undefined
}
