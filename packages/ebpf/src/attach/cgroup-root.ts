import { constants, readFileSync } from 'node:fs'
import { openDetached } from '../sys/detached-mount.js'
import { Fd } from '../sys/fd.js'
import { fileError } from '../sys/permission.js'

const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY

/**
 * The root of the cgroup v2 hierarchy; in a cgroup namespace, the root of that namespace. If no cgroup2 file system is
 * mounted, mounts one for this process alone, without an entry in any mount table (needs Linux 5.2).
 *
 * @throws {KernelError} when the kernel refuses
 */
export function openCgroupRoot(): Fd {
  const path = findCgroupRoot(readMounts())
  if (path !== undefined) return openFolder(path)
  using root = openDetached('cgroup2')
  // The kernel does not attach to the descriptor of the mount itself: it is opened with O_PATH.
  return openFolder(`/proc/self/fd/${root.number}/`)
}

/**
 * Where a whole cgroup2 file system is mounted, from the text of /proc/PID/mountinfo: fields 4 and 5 are the
 * folder of the file system that is mounted and where, and the first after ` - ` is the file system's type.
 */
export function findCgroupRoot(mountinfo: string): string | undefined {
  for (const line of mountinfo.split('\n')) {
    const [mount = '', source = ''] = line.split(' - ')
    const [, , , root, place] = mount.split(' ')
    if (source.startsWith('cgroup2 ') && root === '/' && place !== undefined) return unescape(place)
  }
  return undefined
}

/** Spaces and the like are octal there. */
function unescape(place: string): string {
  const bytes = place.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  )
  return Buffer.from(bytes, 'latin1').toString()
}

function openFolder(path: string): Fd {
  const what = `cgroup "${path}"`
  try {
    return Fd.openFile(path, FOLDER, what)
  } catch (error) {
    throw fileError(`Cannot open ${what}`, 'open', error)
  }
}

function readMounts(): string {
  const path = '/proc/self/mountinfo'
  try {
    return readFileSync(path, 'latin1')
  } catch (error) {
    throw fileError('Cannot find the root of cgroups', `open of ${path}`, error)
  }
}
