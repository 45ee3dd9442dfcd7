import { mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { dropPrivileges } from 'quark-telemetry'

/** The user that by convention owns no files and has no rights. */
const NOBODY = 'nobody'

/**
 * Becomes nobody in an empty root directory, irrevocably. Files must be opened and modules loaded before.
 *
 * @throws when a step is refused; the process must then end, as it may have made some of them
 */
export function becomeNobody(): void {
  // Unlinked, so that nothing can be made in it and it goes with the process. /var/empty is not on every machine.
  const path = mkdtempSync(join(tmpdir(), 'quark-mon-'))
  process.chdir(path)
  rmdirSync(path)
  dropPrivileges(NOBODY, '.')
}
