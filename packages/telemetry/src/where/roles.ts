/** Filters that read whatever fields events declare to be a port, a host, a name or a path. */

import { realMember, REDACTION_MARK } from '../event/redaction.js'
import { type EventSpec, type FieldRole, fieldsOf } from '../event/spec.js'
import { type Address, addressOf, isIn, type Network, networkOf } from './address.js'
import { compileGlob, type Matcher } from './glob.js'
import { valuesOf } from './options.js'
import type { Where } from './predicates.js'
import { portRange } from './values.js'

/** An event, or an object with the members that are read. */
interface Candidate {
  readonly kind: string
}

type Test = (event: Candidate) => boolean
type Read = (event: Candidate) => unknown

/**
 * Tests for the filters of roles. What has no field of the role, or does not know it, does not pass.
 *
 * @param noteGone called for a text that does not pass and of which a part is gone; absent where all texts are whole
 */
export function roleTests(
  { port, host, dnsName, path }: Where,
  events: readonly EventSpec[],
  noteGone?: () => void,
): Test[] {
  const tests: Test[] = []
  if (port !== undefined) tests.push(roleTest('port', events, portTest(valuesOf(port))))
  if (dnsName !== undefined) {
    const matches = nameTest(valuesOf(dnsName))
    tests.push(roleTest('dnsName', events, (name) => typeof name === 'string' && matches(name)))
  }
  if (path !== undefined) {
    const matchers = valuesOf(path).map((pattern) => compileGlob(pattern, true))
    const passes = (text: unknown): boolean => {
      if (typeof text !== 'string') return false
      if (isMatched(text, matchers)) return true
      if (noteGone !== undefined && text.includes(REDACTION_MARK)) noteGone()
      return false
    }
    tests.push(roleTest('path', events, passes))
  }
  if (host !== undefined) tests.push(roleTest('host', events, hostTest(valuesOf(host))))
  return tests
}

/** Whether a value of one of the fields passes; of a list, one of its own. */
function roleTest(role: FieldRole, events: readonly EventSpec[], passes: (value: unknown) => boolean): Test {
  const readersOf = new Map(events.map((spec) => [spec.kind, readers(spec, role)]))
  return (event) => {
    for (const read of readersOf.get(event.kind) ?? []) {
      const value = read(event)
      if (Array.isArray(value) ? value.some(passes) : passes(value)) return true
    }
    return false
  }
}

function readers(spec: EventSpec, role: FieldRole): Read[] {
  return fieldsOf(spec).flatMap(([name, { roles = [], read }]) => {
    if (!roles.includes(role)) return []
    return [(read as Read | undefined) ?? ((event) => realMember(event, name))]
  })
}

function portTest(ports: readonly (number | string)[]): (value: unknown) => boolean {
  const ranges = ports.map((one) => portRange(one))
  return (value) => {
    if (typeof value !== 'number') return false
    for (const [lowest, highest] of ranges) if (value >= lowest && value <= highest) return true
    return false
  }
}

function hostTest(hosts: readonly string[]): (value: unknown) => boolean {
  const networks: Network[] = []
  const names: string[] = []
  for (const host of hosts) {
    const network = networkOf(host)
    if (network === undefined) names.push(host)
    else networks.push(network)
  }
  const matches = nameTest(names)
  return (value) => {
    if (typeof value !== 'string') return false
    const address = addressOf(value)
    return address === undefined ? matches(value) : isInOne(address, networks)
  }
}

function isInOne(address: Address, networks: readonly Network[]): boolean {
  for (const network of networks) if (isIn(address, network)) return true
  return false
}

/** Names of DNS are the same whatever their case, and with a dot at their end. */
function nameTest(patterns: readonly string[]): (name: string) => boolean {
  const matchers = patterns.map((pattern) => compileGlob(plainName(pattern), false))
  return (name) => isMatched(plainName(name), matchers)
}

function isMatched(text: string, matchers: readonly Matcher[]): boolean {
  for (const matches of matchers) if (matches(text)) return true
  return false
}

/** The root itself is its dot. */
function plainName(name: string): string {
  const lower = name.toLowerCase()
  return lower.length > 1 && lower.endsWith('.') ? lower.slice(0, -1) : lower
}
