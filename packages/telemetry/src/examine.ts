import type { Examination } from './doctor/examination.js'
import { judge } from './doctor/judge.js'
import { type FactReading, readFact, readMachine } from './doctor/readings.js'
import type { Catalogue } from './kinds/catalogue.js'
import { catalogue } from './kinds/index.js'
import { checkOptions } from './options/check.js'
import { isSwitch } from './options/spec.js'
import { openQuark } from './quark.js'

/** How to examine a machine. */
export interface ExamineOptions {
  /** Also try backends that change settings of the machine for a moment: `audit`. Default false. */
  readonly audit?: boolean
  /** BTF file, as for `Quark.open`. */
  readonly btf?: string
}

/**
 * Finds out what quark can learn on this machine: reads what may prevent it, and opens every feature and
 * backend for a moment. Works without root too, and then reports what it could not find out.
 *
 * @throws {PlatformError} when this is not Linux on x64 or arm64
 */
export function examine(options: ExamineOptions = {}): Promise<Examination> {
  return examineFor(catalogue, options)
}

/** What can be learnt of some kinds; else as `examine`. */
export async function examineFor(catalogue: Catalogue, options: ExamineOptions): Promise<Examination> {
  const { btf } = checkOptions(catalogue.options, options.btf === undefined ? {} : { btf: options.btf })
  const readings = await readMachine({
    btf,
    withAudit: options.audit === true,
    facts: readFacts(catalogue),
    open: (backend) => openQuark(catalogue, { backends: [backend], ...(btf === undefined ? {} : { btf }) }),
  })
  return judge(readings)
}

/** All facts, and which of them are learnt only with an option. */
function readFacts(catalogue: Catalogue): FactReading[] {
  const flags = catalogue.kinds.flatMap(({ options }) =>
    Object.entries(options).filter(([, spec]) => isSwitch(spec)),
  )
  const factsWith = (value: boolean) => {
    const options = Object.fromEntries(flags.map(([name]) => [name, value]))
    const settings = checkOptions(catalogue.options, options)
    return catalogue.kinds.flatMap((kind) => kind.facts({ settings, hierarchy: undefined }))
  }
  const byDefault = new Set(factsWith(false).map(({ name }) => name))
  return factsWith(true).map((fact) => readFact(fact, !byDefault.has(fact.name)))
}
