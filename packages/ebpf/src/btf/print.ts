import { MAX_CHAIN, type TypeTable } from './table.js'
import {
  BTF_KIND_ARRAY,
  BTF_KIND_CONST,
  BTF_KIND_ENUM,
  BTF_KIND_ENUM64,
  BTF_KIND_FUNC,
  BTF_KIND_FUNC_PROTO,
  BTF_KIND_FWD,
  BTF_KIND_PTR,
  BTF_KIND_RESTRICT,
  BTF_KIND_STRUCT,
  BTF_KIND_TYPE_TAG,
  BTF_KIND_UNION,
  BTF_KIND_UNKN,
  BTF_KIND_VAR,
  BTF_KIND_VOLATILE,
  type Parameter,
  type TypeId,
} from './types.js'

/** A type as C declares it, around `name` when there is one: `char name[16]`, `int (*)(void)`. */
export function declare(table: TypeTable, id: TypeId, name = '', nested = false): string {
  // C is read from the inside out: the declarator grows around the name while the walk goes towards the base type.
  let declarator = name
  let qualifiers = ''
  let current = id
  for (let depth = 0; depth < MAX_CHAIN; depth++) {
    switch (table.kindOf(current)) {
      case BTF_KIND_CONST:
        qualifiers += 'const '
        break
      case BTF_KIND_VOLATILE:
        qualifiers += 'volatile '
        break
      case BTF_KIND_RESTRICT:
        qualifiers += 'restrict '
        break
      case BTF_KIND_TYPE_TAG:
      case BTF_KIND_VAR:
      case BTF_KIND_FUNC:
        break
      case BTF_KIND_PTR:
        declarator = `*${declarator === '' ? qualifiers.trimEnd() : qualifiers + declarator}`
        qualifiers = ''
        break
      case BTF_KIND_ARRAY:
        declarator = `${bindFirst(declarator)}[${table.extra(current, 2)}]`
        break
      case BTF_KIND_FUNC_PROTO:
        // A prototype inside a prototype is left out: broken BTF could nest them without end.
        declarator =
          bindFirst(declarator) + (nested ? '(...)' : list(table, parametersOf(table, current), true))
        qualifiers = ''
        break
      default:
        return qualifiers + base(table, current) + separator(declarator) + declarator
    }
    current = table.kindOf(current) === BTF_KIND_ARRAY ? table.extra(current, 0) : table.sizeOrType(current)
  }
  throw table.endlessChain(id)
}

/** Parameters in parentheses, as C declares them. */
export function list(table: TypeTable, parameters: readonly Parameter[], nested = false): string {
  if (parameters.length === 0) return '(void)'
  return `(${parameters.map(({ name, type }) => (type === 0 ? '...' : declare(table, type, name, nested))).join(', ')})`
}

/** The parameters of a BTF_KIND_FUNC_PROTO; a last one of type 0 stands for `...`. */
export function parametersOf(table: TypeTable, protoId: TypeId): Parameter[] {
  return Array.from({ length: table.vlen(protoId) }, (_, index) => ({
    name: table.strings.at(table.extra(protoId, index * 2)),
    type: table.extra(protoId, index * 2 + 1),
  }))
}

function bindFirst(declarator: string): string {
  return declarator.startsWith('*') ? `(${declarator})` : declarator
}

function separator(declarator: string): string {
  return declarator === '' || declarator.startsWith('[') ? '' : ' '
}

function base(table: TypeTable, id: TypeId): string {
  const kind = table.kindOf(id)
  const name = table.nameOf(id) || '(anonymous)'
  switch (kind) {
    case BTF_KIND_UNKN:
      return 'void'
    case BTF_KIND_STRUCT:
      return `struct ${name}`
    case BTF_KIND_UNION:
      return `union ${name}`
    case BTF_KIND_FWD:
      return `${table.kindFlag(id) ? 'union' : 'struct'} ${name}`
    case BTF_KIND_ENUM:
    case BTF_KIND_ENUM64:
      return `enum ${name}`
    default:
      return name
  }
}
