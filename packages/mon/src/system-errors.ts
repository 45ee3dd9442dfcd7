/** Errors of the system, as Node words them, in sentences that say what to do. */

interface Problem {
  readonly what: string
  readonly advice: string
}

const PROBLEMS: Readonly<Record<string, Problem>> = {
  EACCES: { what: 'permission is denied', advice: 'run it as root, or give a path that you may use' },
  EADDRINUSE: {
    what: 'something listens there already',
    advice: 'end it, or give another address',
  },
  EADDRNOTAVAIL: { what: 'this machine does not have the address', advice: 'give one that it has' },
  EBUSY: { what: 'it is in use', advice: 'try again, or give another path' },
  EDQUOT: { what: 'the quota of the disk is used up', advice: 'make room' },
  EEXIST: { what: 'it exists already', advice: 'give another name, or remove it' },
  EFBIG: { what: 'the file would become too large', advice: 'raise the limit with ulimit -f' },
  EIO: { what: 'the device failed', advice: 'look at dmesg' },
  EISDIR: { what: 'it is a directory', advice: 'give a file' },
  ELOOP: { what: 'it is a link that leads to itself', advice: 'give another path' },
  EMFILE: { what: 'no descriptor is free', advice: 'raise the limit with ulimit -n' },
  ENAMETOOLONG: { what: 'the name is too long', advice: 'give a shorter one' },
  ENFILE: { what: 'no descriptor is free on this machine', advice: 'raise fs.file-max with sysctl' },
  ENODEV: { what: 'the device does not exist', advice: 'give another path' },
  ENOENT: { what: 'there is no such file or directory', advice: 'check the path' },
  ENOMEM: { what: 'there is not enough memory', advice: 'make some free, or raise the limit of the service' },
  ENOSPC: { what: 'no space is left on the device', advice: 'make room' },
  ENOTDIR: { what: 'a part of the path is not a directory', advice: 'check the path' },
  ENXIO: { what: 'nothing is behind this file', advice: 'give another path' },
  EPERM: { what: 'the kernel does not permit it', advice: 'run it as root' },
  EROFS: { what: 'the file system is read-only', advice: 'give a path on another one' },
  ETXTBSY: { what: 'the file is being executed', advice: 'give another path' },
}

const VERBS: Readonly<Record<string, string>> = {
  access: 'use',
  bind: 'listen at',
  chmod: 'change',
  connect: 'connect to',
  copyfile: 'copy',
  listen: 'listen at',
  lstat: 'look at',
  mkdir: 'make',
  mkdtemp: 'make',
  scandir: 'read',
  stat: 'look at',
  unlink: 'remove',
}

/** `ENOENT: no such file or directory, open '/a/path'` as fs says it; `listen EADDRINUSE: …, address /a/path` as net does. */
const OF_FS = /\b(E[A-Z0-9]{2,}): [^,'"]+, (\w+)(?: '(.*?)'(?: -> '.*?')?)?(?=$|[\s)"])/g
const OF_NET =
  /\b(listen|connect|bind) (E[A-Z0-9]{2,})(?:: [^\n]*?)? ?((?:\d+\.){3}\d+:\d+|[:\da-f]*:\d+|\/\S*)?$/g

/** A message in which Node's words for an error of the system are replaced by what it means and what to do. */
export function withoutCodes(message: string): string {
  return message
    .replaceAll(OF_FS, (whole, code: string, call: string, path: string | undefined, at: number) =>
      sentence(whole, { code, call, path, isAlone: at === 0 }),
    )
    .replaceAll(OF_NET, (whole, call: string, code: string, path: string | undefined, at: number) =>
      sentence(whole, { code, call, path, isAlone: at === 0 }),
    )
}

function sentence(
  whole: string,
  { code, call, path, isAlone }: { code: string; call: string; path: string | undefined; isAlone: boolean },
): string {
  const problem = PROBLEMS[code]
  if (problem === undefined) return whole
  const text = `${problem.what} (${code}; ${problem.advice})`
  return isAlone && path !== undefined ? `Cannot ${VERBS[call] ?? call} ${path}: ${text}` : text
}
