/** Makes an entry of an offset table from BTF. */

import { BtfError } from '../errors.js'
import type { Btf } from './btf.js'
import type { OffsetEntry, OffsetMember, OffsetParameters, OffsetStruct, OffsetType } from './offsets.js'
import { WANTED_ENUMERATORS, WANTED_FUNCTIONS, WANTED_MEMBERS, WANTED_TRACEPOINTS } from './offsets-wanted.js'
import {
  BTF_KIND_PTR,
  BTF_KIND_STRUCT,
  BTF_KIND_TYPEDEF,
  BTF_KIND_UNION,
  type FunctionPrototype,
  type TypeId,
} from './types.js'

const MAX_DEPTH = 8

/**
 * The architecture that a kernel's BTF is for, from the members of its `pt_regs`; undefined if they match neither.
 */
export function btfArchitecture(btf: Btf): 'x64' | 'arm64' | undefined {
  const registers = btf.findStruct('pt_regs')
  if (registers === undefined) return undefined
  if (btf.member(registers, 'orig_ax') !== undefined) return 'x64'
  return btf.member(registers, 'syscallno') === undefined ? undefined : 'arm64'
}

/**
 * What probes need to know about the kernel that `btf` describes.
 *
 * @throws {BtfError} when the BTF is not that of a whole kernel
 */
export function makeOffsetEntry(
  btf: Btf,
  { name, release }: Pick<OffsetEntry, 'name' | 'release'>,
): OffsetEntry {
  const architecture = btfArchitecture(btf)
  if (architecture === undefined || btf.findStruct('task_struct') === undefined) {
    throw new BtfError(
      `Cannot make offsets from ${btf.origin}: it is not the BTF of a kernel for x86-64 or arm64 (give that of vmlinux)`,
    )
  }
  return {
    name,
    release,
    architecture,
    structs: collect(Object.keys(WANTED_MEMBERS), (struct) => structOf(btf, struct)),
    enums: collect(Object.keys(WANTED_ENUMERATORS), (enumName) => enumOf(btf, enumName)),
    functions: collect(WANTED_FUNCTIONS, (target) => parametersOf(btf, btf.findFunction(target))),
    tracepoints: collect(WANTED_TRACEPOINTS, (target) => parametersOf(btf, btf.findTracepoint(target))),
  }
}

function collect<T>(names: readonly string[], find: (name: string) => T | undefined): Record<string, T> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const found = find(name)
      return found === undefined ? [] : [[name, found] as const]
    }),
  )
}

/** Names such as `kuid_t` are those of a typedef, and the struct itself has none. */
function findWanted(btf: Btf, name: string): TypeId | undefined {
  const typedef = btf.findType(BTF_KIND_TYPEDEF, name)
  return btf.findStruct(name) ?? (typedef === undefined ? undefined : btf.resolve(typedef))
}

function structOf(btf: Btf, name: string): OffsetStruct | undefined {
  const id = findWanted(btf, name)
  const sizeBytes = id === undefined ? undefined : btf.sizeOf(id)
  if (id === undefined || sizeBytes === undefined) return undefined
  return {
    sizeBytes,
    members: collect(WANTED_MEMBERS[name] ?? [], (member) => memberOf(btf, id, member)),
  }
}

function memberOf(btf: Btf, struct: TypeId, name: string): OffsetMember | undefined {
  const member = btf.member(struct, name)
  if (member === undefined) return undefined
  const type = typeText(btf, member.type)
  const offset = Math.floor(member.bitOffset / 8)
  return member.bitSize === 0 ? [offset, type] : [offset, type, member.bitOffset % 8, member.bitSize]
}

function enumOf(btf: Btf, name: string): Record<string, number> | undefined {
  const values = collect(WANTED_ENUMERATORS[name] ?? [], (value) => btf.enumValue(name, value))
  return Object.keys(values).length === 0 ? undefined : values
}

function parametersOf(btf: Btf, prototype: FunctionPrototype | undefined): OffsetParameters | undefined {
  return prototype?.parameters.map(({ name, type }) => [name, typeText(btf, type)] as const)
}

function typeText(btf: Btf, declared: TypeId, depth = 0): OffsetType {
  const id = btf.resolve(declared)
  const kind = btf.kindOf(id)
  if (kind === BTF_KIND_PTR) return `*${pointeeText(btf, btf.pointee(id) ?? 0, depth + 1)}`
  const element = btf.element(id)
  if (element !== undefined && depth < MAX_DEPTH) {
    return `[${element.count}]${typeText(btf, element.type, depth + 1)}`
  }
  const integer = btf.integer(id)
  if (integer !== undefined) return `${integer.signed ? 's' : 'u'}${btf.sizeOf(id)}`
  return `=${wantedName(btf, declared) ?? btf.sizeOf(id) ?? 0}`
}

/** Structs that the table does not describe need no size behind a pointer: no path goes through them. */
function pointeeText(btf: Btf, declared: TypeId, depth: number): OffsetType {
  const kind = btf.kindOf(btf.resolve(declared))
  if (kind === BTF_KIND_STRUCT || kind === BTF_KIND_UNION) {
    const name = wantedName(btf, declared)
    return name === undefined ? '' : `=${name}`
  }
  const isDescribed = kind === BTF_KIND_PTR || btf.integer(declared) !== undefined
  return isDescribed && depth < MAX_DEPTH ? typeText(btf, declared, depth) : ''
}

/** The name under which the table describes a struct: its own, or the last typedef on the way to it. */
function wantedName(btf: Btf, declared: TypeId): string | undefined {
  const own = btf.nameOf(btf.resolve(declared))
  const name = own === '' ? btf.nameOf(declared) : own
  return name in WANTED_MEMBERS ? name : undefined
}
