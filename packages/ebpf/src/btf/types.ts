/** Number of a type inside one BTF: 0 is `void`, the others run from 1 to `typeCount`. */
export type TypeId = number

// Values of BTF_INFO_KIND, as in include/uapi/linux/btf.h. BTF_KIND_UNKN is what `void` (id 0) has.
export const BTF_KIND_UNKN = 0
export const BTF_KIND_INT = 1
export const BTF_KIND_PTR = 2
export const BTF_KIND_ARRAY = 3
export const BTF_KIND_STRUCT = 4
export const BTF_KIND_UNION = 5
export const BTF_KIND_ENUM = 6
export const BTF_KIND_FWD = 7
export const BTF_KIND_TYPEDEF = 8
export const BTF_KIND_VOLATILE = 9
export const BTF_KIND_CONST = 10
export const BTF_KIND_RESTRICT = 11
export const BTF_KIND_FUNC = 12
export const BTF_KIND_FUNC_PROTO = 13
export const BTF_KIND_VAR = 14
export const BTF_KIND_DATASEC = 15
export const BTF_KIND_FLOAT = 16
export const BTF_KIND_DECL_TAG = 17
export const BTF_KIND_TYPE_TAG = 18
export const BTF_KIND_ENUM64 = 19

/** One of the `BTF_KIND_*` constants. */
export type BtfKind = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15 | 16 | 17 | 18 | 19

/** Where a member lies, counted from the start of the struct or union that was asked. */
export interface Member {
  name: string
  /** As declared: typedefs and qualifiers are not skipped. */
  type: TypeId
  bitOffset: number
  /** Width of a bit-field, 0 for any other member. */
  bitSize: number
}

/** A parameter of a function, with its type as declared. `name` is empty where BTF has none. */
export interface Parameter {
  name: string
  type: TypeId
}

/** What a kernel function or tracepoint takes and returns. */
export interface FunctionPrototype {
  /** The BTF_KIND_FUNC, or the `btf_trace_*` typedef: what the kernel wants as `attach_btf_id`. */
  id: TypeId
  name: string
  parameters: Parameter[]
  /** 0 is `void`. */
  returnType: TypeId
  /** The parameters as C declares them, in parentheses. */
  toString(): string
}

/** How the bits of an integer, enum or bool are to be read. */
export interface IntegerShape {
  bits: number
  signed: boolean
  bool: boolean
  char: boolean
}
