/** Which cgroup hierarchy a machine puts its processes in, and where that is mounted. */

import { parseCgroup } from './parse.js'
import { readLatin1 } from './read.js'

/** A mounted hierarchy of cgroups. */
export interface CgroupHierarchy {
  /** `unified` is v2, `pids` is v1's pids controller. */
  readonly kind: 'unified' | 'pids'
  readonly mountPoint: string
  /** The cgroup that `mountPoint` shows: `/` unless only a part of the hierarchy is mounted. */
  readonly mountRoot: string
  /** The kernel's number of the hierarchy, as in /proc/PID/cgroup; v2 is 0. */
  readonly hierarchyId: number
}

/**
 * Finds the hierarchy in which processes are told apart: v2 when it is mounted anywhere, else v1's pids controller.
 * Of several mounts the one that shows most is taken.
 *
 * @returns undefined when neither is mounted
 */
export function findCgroupHierarchy(procPath = '/proc'): CgroupHierarchy | undefined {
  const mounts = parseCgroupMounts(readLatin1(`${procPath}/self/mountinfo`) ?? '')
  const kind = mounts.some((mount) => mount.kind === 'unified') ? 'unified' : 'pids'
  const [mount] = mounts
    .filter((mount) => mount.kind === kind)
    .sort((a, b) => a.mountRoot.length - b.mountRoot.length)
  const line = parseCgroup(readLatin1(`${procPath}/self/cgroup`) ?? '', kind)
  const hierarchyId = kind === 'unified' ? 0 : line?.hierarchyId
  return mount === undefined || hierarchyId === undefined ? undefined : { ...mount, hierarchyId }
}

/**
 * The mounts of v2 and of v1's pids controller in proc_pid_mountinfo(5):
 * `41 31 0:38 /root /mount/point rw,relatime shared:2 - cgroup2 source rw`.
 */
export function parseCgroupMounts(mountinfo: string): Omit<CgroupHierarchy, 'hierarchyId'>[] {
  const mounts: Omit<CgroupHierarchy, 'hierarchyId'>[] = []
  for (const line of mountinfo.split('\n')) {
    const [mount = '', fileSystem = ''] = line.split(' - ', 2)
    const [, , , mountRoot, mountPoint] = mount.split(' ')
    const [type, , options = ''] = fileSystem.split(' ')
    if (mountRoot === undefined || mountPoint === undefined) continue
    const place = { mountRoot: unescaped(mountRoot), mountPoint: unescaped(mountPoint) }
    if (type === 'cgroup2') {
      mounts.push({ kind: 'unified', ...place })
    } else if (type === 'cgroup' && options.split(',').includes('pids')) {
      mounts.push({ kind: 'pids', ...place })
    }
  }
  return mounts
}

/** Blanks and backslashes are shown as three octal digits; the rest is bytes. */
function unescaped(latin1: string): string {
  const bytes = latin1.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  )
  return Buffer.from(bytes, 'latin1').toString('utf8')
}
