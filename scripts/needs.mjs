/** What scripts need of a machine that a bare one does not have. */
import { spawnSync } from 'node:child_process'

/**
 * Why a script cannot run here; undefined if it can.
 *
 * @param commands with the package of Debian that has each
 */
export function whyNot(commands) {
  if (process.getuid() !== 0) return 'it needs root'
  for (const [command, debian] of commands) {
    if (spawnSync(command, ['--version']).error !== undefined)
      return `there is no ${command}: apt-get install ${debian}`
  }
  return undefined
}
