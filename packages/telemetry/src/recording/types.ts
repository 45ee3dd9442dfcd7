import type { MissingFact } from '../facts/fact.js'
import type { Catalogue } from '../kinds/catalogue.js'
import type { RecordedType } from './format.js'
import { areAlike, describeType } from './layouts.js'
import { Transcoder } from './transcode.js'

/** How a replay treats the records of one type. */
export interface Treatment {
  /** `kind.name`. */
  readonly name: string
  /** The number that records of it are to have; undefined when no kind has such records: they are passed over. */
  readonly type: number | undefined
  /** Writes them in the layout of this version, if that differs. */
  readonly transcoder: Transcoder | undefined
  readonly recorded: RecordedType
}

/** Matches the record types of a recording with those of this version. */
export class RecordedTypes {
  /** What a replay lacks because this version does not know it. */
  readonly missing: readonly MissingFact[]
  readonly #treatments = new Map<number, Treatment>()

  constructor(catalogue: Catalogue, types: readonly RecordedType[]) {
    const missing: MissingFact[] = []
    const known = knownTypes(catalogue)
    for (const recorded of types) {
      const target = targetOf(known, recorded)
      const name = target === undefined ? nameOf(recorded) : nameOf(target.described)
      const { described } = target ?? {}
      const transcoder =
        described === undefined || areAlike(recorded, described)
          ? undefined
          : new Transcoder(recorded, described)
      this.#treatments.set(recorded.type, { name, type: described?.type, transcoder, recorded })
      if (described === undefined) {
        missing.push({
          fact: name,
          reason: 'this version of quark does not know these records: they are skipped',
        })
      }
      for (const field of transcoder?.dropped ?? []) {
        missing.push({
          fact: `${name}.${field}`,
          reason: 'this version of quark does not know this field: it is left out',
        })
      }
    }
    this.missing = missing
  }

  /** Undefined for a number that the recording does not have. */
  of(type: number): Treatment | undefined {
    return this.#treatments.get(type)
  }
}

interface KnownType {
  readonly described: RecordedType
  /** Its number in recordings of version 1. */
  readonly firstType: number
}

function knownTypes({ kinds }: Catalogue): KnownType[] {
  return kinds.flatMap((kind) =>
    kind.records.map((recordType) => ({
      described: describeType(kind.name, recordType),
      firstType: recordType.formerType ?? recordType.layout.type,
    })),
  )
}

/** Types go by the names of kind and record; those of version 1 have neither. */
function targetOf(known: readonly KnownType[], { kind, name, type }: RecordedType): KnownType | undefined {
  return known.find(({ described, firstType }) =>
    kind === '' ? firstType === type : described.kind === kind && described.name === name,
  )
}

function nameOf({ kind, name }: RecordedType): string {
  return kind === '' ? name : `${kind}.${name}`
}
