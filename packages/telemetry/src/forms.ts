/** Gives events, and the objects in them, what makes them behave like objects: `toObject`, `toJSON`, and a form for consoles. */

import { localMachine } from './context/local.js'
import type { BaseEvent } from './event/event.js'
import { plainEvent, plainMembers, plainObject, relatedOf } from './event/plain.js'
import { type EventSpec, fieldsOf, type NamedField } from './event/spec.js'
import { jsonObjectWriter, jsonWriter } from './output/json.js'
import { DEFAULT_LINE_BYTES } from './output/line.js'
import type { Declarations } from './output/specs.js'
import { withEnds } from './stream.js'
import { ProcessRecord } from './process/entry.js'
import { processObject } from './process/spec.js'

/** What util.inspect and console.log call. */
const INSPECT = Symbol.for('nodejs.util.inspect.custom')

/** The forms of the objects that have a prototype. */
interface FormsOf {
  toObject(from: object): object
  toJSON(from: object): object
  /** What a console shows. */
  inspect(from: object): object
}

/**
 * Makes the function that gives an event its forms. Events of classes that the declarations name have theirs already.
 * Others are objects of no class: they get the prototype of their kind.
 */
export function formsOf(catalogue: Declarations): GiveForms {
  const known = given.get(catalogue)
  if (known !== undefined) return known
  const made = formsOfAll(withEnds(catalogue))
  given.set(catalogue, made)
  return made
}

/** Gives an event its forms, and returns it. */
type GiveForms = <E extends object>(event: E) => E

/** Prototypes are changed once, however many queues are opened. */
const given = new WeakMap<Declarations, GiveForms>()

function formsOfAll(declared: Declarations): GiveForms {
  giveForms(ProcessRecord.prototype, processForms())
  const writeJson = jsonWriter(declared, DEFAULT_LINE_BYTES, localMachine())
  const prototypes = new Map<string, object>()
  for (const spec of declared.events) {
    const prototype = spec.class?.prototype ?? new (labelled(eventName(spec.kind)))()
    giveForms(prototype, {
      toObject: (event) => plainEvent(spec, event),
      toJSON: (event) => JSON.parse(writeJson(event as BaseEvent)) as object,
      inspect: (event) => shownEvent(spec, event),
    })
    prototypes.set(spec.kind, prototype)
  }
  return (event) => {
    if (Object.getPrototypeOf(event) === Object.prototype) {
      Object.setPrototypeOf(event, prototypes.get((event as BaseEvent).kind) ?? Object.prototype)
    }
    return event
  }
}

function processForms(): FormsOf {
  const writeProcess = jsonObjectWriter(processObject, localMachine())
  return {
    toObject: (process) => plainObject(processObject, process),
    toJSON: (process) => JSON.parse(writeProcess(process)) as object,
    inspect: (process) => shown('Process', plainMembers(fieldsOf(processObject), process, isShown)),
  }
}

function giveForms(prototype: object, { toObject, toJSON, inspect }: FormsOf): void {
  const hidden = { configurable: true, writable: true }
  Object.defineProperties(prototype, {
    toObject: {
      ...hidden,
      value: function (this: object): object {
        return toObject(this)
      },
    },
    toJSON: {
      ...hidden,
      value: function (this: object): object {
        return toJSON(this)
      },
    },
    [INSPECT]: {
      ...hidden,
      value: function (this: object): object {
        return inspect(this)
      },
    },
  })
}

/** An event with its relatives in brief: they have events of their own, and would hide it. */
function shownEvent(spec: EventSpec, event: object): object {
  const { kind, timeNs, relatives } = event as Readonly<Record<string, unknown>>
  const fields = fieldsOf(spec)
  const members = { kind, timeNs, ...plainMembers(fields, event, isShown) }
  const related = relatedOf(fields)
  if (related === undefined || relatives === undefined) return shown(eventName(spec.kind), members)
  const brief = fieldsOf(related).filter(([name]) => related.brief?.includes(name))
  const briefOf = (relative: object): unknown =>
    Array.isArray(relative) ? relative.map(briefOf) : plainMembers(brief, relative)
  const inBrief = Object.entries(relatives as object).flatMap(([name, relative]) =>
    relative === undefined ? [] : [[name, briefOf(relative as object)]],
  )
  return shown(eventName(spec.kind), { ...members, relatives: Object.fromEntries(inBrief) as object })
}

/** What JSON leaves out is there in another form. */
function isShown([, { json }]: NamedField): boolean {
  return json !== null
}

/** `ProcessEvent` for `process`. */
function eventName(kind: string): string {
  return `${kind.charAt(0).toUpperCase()}${kind.slice(1)}Event`
}

/** Members behind a name. */
function shown(name: string, members: object): object {
  return Object.assign(new (labelled(name))() as object, members)
}

const labels = new Map<string, new () => object>()

/** A class of that name, by which consoles call its objects. */
function labelled(name: string): new () => object {
  const known = labels.get(name)
  if (known !== undefined) return known
  // Of a function, since its name is that of the property.
  const made = { [name]: function () {} }[name] as unknown as new () => object
  labels.set(name, made)
  return made
}
