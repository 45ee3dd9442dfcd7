/** Which cgroup hierarchy a machine puts its processes in, and where that is mounted. */

import { posix } from 'node:path'
import { parseCgroup, parseNamespace, parseStat } from './parse.js'
import { directoriesIn, inodeOf, readLatin1, readLink } from './read.js'

/** Inode number of the first cgroup namespace (include/linux/proc_ns.h). */
const INITIAL_CGROUP_NS = 0xefff_fffb

/** kernfs id of the root of a hierarchy; older kernels have a generation in the upper half. */
const ROOT_ID = 1n
const ID_MASK = 0xffff_ffffn

/** A mounted hierarchy of cgroups. */
export interface CgroupHierarchy {
  /** `unified` is v2, `pids` is v1's pids controller. */
  readonly kind: 'unified' | 'pids'
  readonly mountPoint: string
  /** The cgroup that `mountPoint` shows: `/` unless only a part of the hierarchy is mounted. */
  readonly mountRoot: string
  /** The kernel's number of the hierarchy, as in /proc/PID/cgroup; v2 is 0. */
  readonly hierarchyId: number
  /**
   * Where paths in /proc begin, if that is not the root of the hierarchy: the root of the reader's cgroup namespace.
   * latin1.
   */
  readonly namespaceRoot?: string
  /**
   * The place of the reader's cgroup namespace in the hierarchy is unknown. `mountRoot` and paths in /proc begin at the
   * namespace's root; the kernel's names begin at the root of the hierarchy, and cannot be matched with them.
   */
  readonly isFromNamespace?: true
}

type Mount = Omit<CgroupHierarchy, 'hierarchyId'>

/**
 * Finds the hierarchy whose cgroups are reported: v2 when it is mounted anywhere, else v1's pids controller.
 * Of several mounts, the one with the shortest root is taken, which shows most; if that is a part, another process's of
 * the whole.
 *
 * @param pid the reader's, in its own pid namespace
 * @returns undefined when neither is mounted
 */
export function findCgroupHierarchy(
  procPath = '/proc',
  pid: number = process.pid,
): CgroupHierarchy | undefined {
  const mounts = parseCgroupMounts(readLatin1(`${procPath}/self/mountinfo`) ?? '')
  const kind = mounts.some((mount) => mount.kind === 'unified') ? 'unified' : 'pids'
  const own = mounts.filter((mount) => mount.kind === kind)
  const line = parseCgroup(readLatin1(`${procPath}/self/cgroup`) ?? '', kind)
  const hierarchyId = kind === 'unified' ? 0 : line?.hierarchyId
  if (hierarchyId === undefined || own.length === 0) return undefined
  const namespace = parseNamespace(readLink(`${procPath}/self/ns/cgroup`) ?? '') ?? INITIAL_CGROUP_NS
  if (namespace === INITIAL_CGROUP_NS) {
    const most = showingMost(own)
    // A container has its own part mounted alone, also where it shares the namespace.
    const all = most.mountRoot === '/' ? undefined : wholeElsewhere(procPath, kind)
    return { ...most, ...(all === undefined ? {} : { ...all, mountRoot: '/' }), hierarchyId }
  }

  // Here /proc shows all paths from the root of the namespace, those of mounts too.
  const whole = own.find(({ mountPoint }) => isRoot(mountPoint)) ?? wholeElsewhere(procPath, kind)
  const namespaceRoot = whole === undefined ? undefined : findNamespaceRoot(whole, line?.path, pid)
  if (whole === undefined || namespaceRoot === undefined) {
    // A mount that begins above the namespace's root is of no use: the path from there down is not known.
    const within = own.filter(({ mountRoot }) => !mountRoot.startsWith('/..'))
    return { ...showingMost(within.length > 0 ? within : own), hierarchyId, isFromNamespace: true }
  }
  const place = { ...whole, mountRoot: '/', hierarchyId }
  return namespaceRoot === '/' ? place : { ...place, namespaceRoot }
}

function showingMost(mounts: readonly Mount[]): Mount {
  return [...mounts].sort((a, b) => a.mountRoot.length - b.mountRoot.length)[0] as Mount
}

/** Most ancestors of the reader whose mounts are read. */
const MAX_ANCESTORS = 64

/** A mount of the whole hierarchy, seen by the first process or by an ancestor of the reader. */
function wholeElsewhere(procPath: string, kind: Mount['kind']): Mount | undefined {
  const own = parseStat(readLatin1(`${procPath}/self/stat`) ?? '')
  const pids = [1]
  for (let pid = own?.ppid ?? 0; pid > 1 && pids.length < MAX_ANCESTORS;) {
    pids.push(pid)
    pid = parseStat(readLatin1(`${procPath}/${pid}/stat`) ?? '')?.ppid ?? 0
  }
  for (const pid of pids) {
    for (const mount of parseCgroupMounts(readLatin1(`${procPath}/${pid}/mountinfo`) ?? '')) {
      const mountPoint = `${procPath}/${pid}/root${mount.mountPoint}`
      if (mount.kind === kind && isRoot(mountPoint)) return { ...mount, mountPoint }
    }
  }
  return undefined
}

function isRoot(mountPoint: string): boolean {
  const id = inodeOf(mountPoint)
  return id !== undefined && (id & ID_MASK) === ROOT_ID
}

/**
 * The root of the reader's cgroup namespace, from the root of the hierarchy. Nothing shows its name: it is searched at
 * its known depth, for the cgroup that has the reader in it.
 *
 * @param whole a mount of the whole hierarchy
 * @param path the reader's cgroup, from the root of its namespace
 * @returns undefined when the reader has left the namespace's root, or the kernel does not list it
 */
function findNamespaceRoot(whole: Mount, path: string | undefined, pid: number): string | undefined {
  if (whole.mountRoot === '/') return '/'
  if (path === undefined || path.startsWith('/..') || !/^(\/\.\.)+$/.test(whole.mountRoot)) return undefined
  const top = Buffer.from(whole.mountPoint).toString('latin1')
  let level = [top]
  for (let depth = whole.mountRoot.length / '/..'.length; depth > 0; depth--) {
    level = level.flatMap((directory) => directoriesIn(directory).map((name) => `${directory}/${name}`))
  }
  const found = level.find((directory) => {
    const pids = readLatin1(Buffer.from(`${directory}${path}/cgroup.procs`, 'latin1')) ?? ''
    return pids.split('\n').includes(String(pid))
  })
  return found?.slice(top.length)
}

/** A path as /proc shows it, from the root of the hierarchy if that can be known. latin1. */
export function fromHierarchyRoot(path: string, namespaceRoot: string | undefined): string {
  if (namespaceRoot === undefined) return path
  const joined = posix.join(namespaceRoot, path)
  return joined.length > 1 && joined.endsWith('/') ? joined.slice(0, -1) : joined
}

/**
 * The mounts of v2 and of v1's pids controller in proc_pid_mountinfo(5):
 * `41 31 0:38 /root /mount/point rw,relatime shared:2 - cgroup2 source rw`.
 */
export function parseCgroupMounts(mountinfo: string): Mount[] {
  const mounts: Mount[] = []
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
