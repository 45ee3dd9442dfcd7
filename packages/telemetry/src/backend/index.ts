/** The backends: one line each. */

import type { BackendName } from '../options/declare.js'
import { openAudit } from './audit/audit.js'
import type { Backend } from './backend.js'
import { closeAfterError } from './close-all.js'
import type { BackendContext } from './context.js'
import { EbpfBackend } from './ebpf/ebpf.js'
import { openKprobe } from './kprobe/kprobe.js'
import { openProcConnector } from './proc-connector/proc-connector.js'
import { SourcedBackend, Sources } from './sources.js'

/** Opens a backend, or throws a `QuarkError` or `EbpfError` that says why it does not work here. */
type OpenBackend = (context: BackendContext) => Backend

const openers = {
  ebpf: ({ settings: { ringSizeBytes, btf }, facts, sources, shares, recordShares, tracking, ruling }) =>
    EbpfBackend.open({
      facts,
      sources,
      ringSizeBytes,
      btf,
      tracking,
      ruling,
      ...(shares === undefined ? {} : { shares }),
      ...(recordShares === undefined ? {} : { recordShares }),
    }),
  kprobe: openKprobe,
  audit: openAudit,
  procConnector: openProcConnector,
} as const satisfies Record<BackendName, OpenBackend>

/**
 * Opens a backend, and the sources that facts have beside it.
 *
 * @throws {QuarkError} or {EbpfError} when it does not work here
 */
export function openBackend(name: BackendName, context: Omit<BackendContext, 'sources'>): Backend {
  const sources = new Sources(context.clock)
  let backend: Backend | undefined
  try {
    backend = openers[name]({ ...context, sources })
    return sources.isEmpty ? backend : new SourcedBackend(backend, sources)
  } catch (error) {
    closeAfterError(
      () => backend?.[Symbol.dispose](),
      () => sources[Symbol.dispose](),
    )
    throw error
  }
}
