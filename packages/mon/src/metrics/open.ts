/** Metrics of a run, served as OpenMetrics. Loaded only when they are asked for. */

import { closeSync, openSync, readSync } from 'node:fs'
import { Counter, Gauge, type OpenMetricsContentType, openMetricsContentType, Registry } from 'prom-client'
import type { QuarkEvent } from 'quark-telemetry'
import { packageVersion } from '../version.js'
import { type MetricsAddress } from './address.js'
import { FAMILIES, type Family, type MetricsSource } from './families.js'
import { serve } from './server.js'

/** Metrics that are being served. */
export interface Metrics {
  /** Counts events that were taken. */
  count(batch: readonly QuarkEvent[]): void
  /** From now on also what an open queue counts. */
  watch(queue: MetricsSource['queue'], output: { readonly unwrittenLines: number }): void
  close(): void
}

/**
 * Begins to serve. It can be done before rights are given up; afterwards no file is opened.
 *
 * @param isLive whether events happen now, so that their age means something
 * @throws when the address cannot be had
 */
export async function openMetrics(address: MetricsAddress, isLive: boolean): Promise<Metrics> {
  const events = new Map<string, number>()
  const memory = new Resident()
  let queue: MetricsSource['queue']
  let output: { readonly unwrittenLines: number } | undefined
  let lagMs: number | undefined
  const registry = registryOf({
    version: packageVersion(),
    events,
    startMs: Date.now() - process.uptime() * 1000,
    residentBytes: () => memory.bytes(),
    get queue() {
      return queue
    },
    get lagMs() {
      return lagMs
    },
    get waitingLines() {
      return output?.unwrittenLines ?? 0
    },
  })
  let end: () => void
  try {
    end = await serve(address, { type: openMetricsContentType, render: () => registry.metrics() })
  } catch (error) {
    memory.close()
    throw error
  }
  return {
    count(batch) {
      for (const { kind } of batch) events.set(kind, (events.get(kind) ?? 0) + 1)
      const last = batch.at(-1)
      if (isLive && last !== undefined) lagMs = Math.max(0, Date.now() - Number(last.timeNs / 1_000_000n))
    },
    watch(opened, written) {
      queue = opened
      output = written
    },
    close() {
      end()
      memory.close()
    },
  }
}

/** The families as metrics of the library, which asks for their values when somebody reads them. */
export function registryOf(source: MetricsSource): Registry<OpenMetricsContentType> {
  const registry = new Registry<OpenMetricsContentType>()
  registry.setContentType(openMetricsContentType)
  for (const family of FAMILIES) {
    const config = {
      name: family.name,
      help: family.help,
      labelNames: [...family.labels],
      registers: [registry],
    }
    if (family.type === 'counter') {
      const counter = new Counter({
        ...config,
        collect() {
          counter.reset()
          // A reset sets what has no labels to 0, which may not be known.
          if (family.labels.length === 0) counter.remove()
          for (const [value, labels] of samplesOf(family, source)) counter.inc(labels, value)
        },
      })
    } else {
      const gauge = new Gauge({
        ...config,
        collect() {
          gauge.reset()
          // A reset sets what has no labels to 0, which may not be known.
          if (family.labels.length === 0) gauge.remove()
          for (const [value, labels] of samplesOf(family, source)) gauge.set(labels, value)
        },
      })
    }
  }
  return registry
}

/** What is not known is left out. */
function samplesOf(family: Family, source: MetricsSource): [number, Record<string, string>][] {
  const found: [number, Record<string, string>][] = []
  for (const [value, ...labels] of family.values(source, source.queue?.stats())) {
    if (value === undefined) continue
    found.push([value, Object.fromEntries(family.labels.map((name, index) => [name, labels[index] ?? '']))])
  }
  return found
}

/** Resident memory, read through a file that stays open: with -D there is no /proc later. */
class Resident {
  readonly #fd: number | undefined
  readonly #text = Buffer.alloc(4096)

  constructor() {
    try {
      this.#fd = openSync('/proc/self/status', 'r')
    } catch {
      this.#fd = undefined
    }
  }

  bytes(): number | undefined {
    if (this.#fd === undefined) return undefined
    try {
      const length = readSync(this.#fd, this.#text, 0, this.#text.length, 0)
      const [, kib] = /^VmRSS:\s*(\d+) kB$/m.exec(this.#text.toString('latin1', 0, length)) ?? []
      return kib === undefined ? undefined : Number(kib) * 1024
    } catch {
      return undefined
    }
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
  }
}
