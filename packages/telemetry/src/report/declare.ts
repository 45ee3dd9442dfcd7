/** How the JSON of a report is declared: its schema and the tables of docs/report.md follow, and the compiler compares it with the types. */

/** An object with its members. */
export interface ObjectDeclaration<T> {
  /** Its name among the definitions of the schema. */
  readonly name: string
  /** A sentence without a period. */
  readonly doc: string
  readonly members: Members<T>
}

/** Each member of `T`; the compiler asks for all, and for `isOptional` exactly where a member may be absent. */
export type Members<T> = {
  readonly [K in keyof T]-?: Member<Exclude<T[K], undefined>> &
    (undefined extends T[K] ? { readonly isOptional: true } : { readonly isOptional?: undefined })
}

/** What a member is, and its form. */
export type Member<V> = { readonly doc: string } & Form<V>

/** `items` and `object` are functions, since objects may hold others of their own type. */
type Form<V> = [V] extends [boolean]
  ? { readonly type: 'boolean' }
  : [V] extends [string]
    ? string extends V
      ? { readonly type: 'string' }
      : { readonly type: 'word'; readonly words: readonly V[] }
    : [V] extends [number]
      ? number extends V
        ? { readonly type: 'count' | 'seconds' }
        : { readonly type: 'constant'; readonly value: V }
      : [V] extends [readonly string[]]
        ? { readonly type: 'strings' }
        : [V] extends [readonly (infer I)[]]
          ? { readonly type: 'list'; readonly of: () => ObjectDeclaration<I> }
          : { readonly type: 'object'; readonly of: () => ObjectDeclaration<V> }

/** Any member, for what walks over declarations. */
export interface AnyMember {
  readonly doc: string
  readonly type:
    | 'boolean'
    | 'string'
    | 'word'
    | 'constant'
    | 'count'
    | 'seconds'
    | 'strings'
    | 'list'
    | 'object'
  readonly isOptional?: boolean | undefined
  readonly words?: readonly string[]
  readonly value?: number
  readonly of?: () => AnyObject
}

/** Any object, for the same. */
export interface AnyObject {
  readonly name: string
  readonly doc: string
  readonly members: Readonly<Record<string, AnyMember>>
}

/** An object and all that it holds, each once, in the order of their first mention. */
export function objectsIn(object: AnyObject): AnyObject[] {
  const found = new Set([object])
  for (const { members } of found) {
    for (const { of } of Object.values(members)) if (of !== undefined) found.add(of())
  }
  return [...found]
}
