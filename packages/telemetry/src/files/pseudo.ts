/** File systems that keep nothing: what is written there is an order to the kernel, or a message. */

/** include/uapi/linux/magic.h: `s_magic` of their superblocks. */
export const PSEUDO_MAGICS: readonly number[] = [
  0x9fa0, // proc
  0x6265_6572, // sysfs
  0x0027_e0eb, // cgroup
  0x6367_7270, // cgroup2
  0x1cd1, // devpts
  0x7472_6163, // tracefs
  0x6462_6720, // debugfs
  0x7363_6673, // securityfs
  0xcafe_4a11, // bpf
  0x5049_5045, // pipes
  0x534f_434b, // sockets
  0x0904_1934, // anonymous inodes
  0x6e73_6673, // nsfs
  0xf97c_ff8c, // selinux
  0x4249_4e4d, // binfmt_misc
  0x6265_6570, // configfs
  0x6165_676c, // pstore
  0x1980_0202, // mqueue
]

/** The same by their names in /proc/self/mountinfo. */
export const PSEUDO_TYPES: ReadonlySet<string> = new Set([
  'proc',
  'sysfs',
  'cgroup',
  'cgroup2',
  'devpts',
  'tracefs',
  'debugfs',
  'securityfs',
  'bpf',
  'pipefs',
  'sockfs',
  'anon_inodefs',
  'nsfs',
  'selinuxfs',
  'binfmt_misc',
  'configfs',
  'fusectl',
  'pstore',
  'mqueue',
  'autofs',
  'efivarfs',
  'rpc_pipefs',
  'resctrl',
])

/** Where they are mounted, for names of which nothing else is known. */
const PSEUDO_PLACES = ['/proc/', '/sys/', '/dev/pts/', '/dev/mqueue/']

/** Whether a path lies in one, as its text says. */
export function isPseudoPath(path: string): boolean {
  return PSEUDO_PLACES.some((place) => path.startsWith(place))
}
