import type { Forms } from '../event/forms.js'
import type { ContainerRuntime } from './container.js'
import type { Executable } from './executable.js'
import type { Scheduler } from './unit.js'

/**
 * A process as it was when an event happened. Objects are not changed after they were delivered: a later
 * event carries a later object. A field that is not known is undefined, never guessed.
 */
export interface Process extends Forms<Process> {
  /** The kernel's tgid, in the initial pid namespace. */
  readonly pid: number
  /** Neither its fork nor an exec of it was seen, and it was not found in /proc: only what its events have is known. */
  readonly unseen: boolean
  /**
   * Records of it may be missing, as the kernel side had to drop some of it, of its user, or of processes that it
   * descends from: what it executed, its ids or its children may be others than is said. Stays set.
   */
  readonly mayBeIncomplete: boolean
  /**
   * Epoch ns. Exact when the fork or exec was seen, or an iterator found the process; from /proc alone it is cut to clock
   * ticks (10 ms).
   */
  readonly startTimeNs: bigint | undefined
  /**
   * 16 characters of Base64 over pid, start time and boot id: the same for a process that was seen to start and for one that
   * was found, in every queue of the boot that knows exact starts.
   */
  readonly entityId: string | undefined
  /**
   * `entityId` is made of the start in clock ticks (10 ms), as exact starts of older processes cannot be had: another
   * process that gets the same pid within the same tick has the same one.
   */
  readonly entityIdCoarse: boolean
  /**
   * As `entityId` with the exact start, where that is known and `entityId` is coarse. A queue that finds the process in /proc
   * does not have it.
   */
  readonly uniqueEntityId: string | undefined
  /** Its parent when the event began. Another process, once the one that made it has ended. */
  readonly ppid: number | undefined
  /** The process that made it, if that is not its parent: that one had ended, or CLONE_PARENT named another one. */
  readonly creatorPid: number | undefined
  readonly pgid: number | undefined
  readonly sid: number | undefined
  readonly uid: number | undefined
  readonly euid: number | undefined
  readonly suid: number | undefined
  readonly gid: number | undefined
  readonly egid: number | undefined
  readonly sgid: number | undefined
  readonly capInheritable: bigint | undefined
  readonly capPermitted: bigint | undefined
  readonly capEffective: bigint | undefined
  readonly capBounding: bigint | undefined
  readonly capAmbient: bigint | undefined
  /** They hold only in its user namespace, which is not the initial one: on the host they are worth nothing. */
  readonly capabilitiesInUserNs: boolean
  /** Controlling terminal; 0 and 0 when there is none. */
  readonly ttyMajor: number | undefined
  readonly ttyMinor: number | undefined
  /** Its name below /dev, as ps(1) shows it: `pts/3`, `tty1`; undefined without one, and for devices of other sorts. */
  readonly ttyName: string | undefined
  /** Uid of who logged in, which changes of ids do not change; undefined when nobody did, and without audit. */
  readonly loginUid: number | undefined
  /** The audit session of that login. */
  readonly auditSession: number | undefined
  /** Inode numbers of the namespaces. */
  readonly utsNs: number | undefined
  readonly ipcNs: number | undefined
  readonly mntNs: number | undefined
  readonly netNs: number | undefined
  readonly userNs: number | undefined
  readonly pidNs: number | undefined
  readonly cgroupNs: number | undefined
  readonly timeNs: number | undefined
  /** At most 15 bytes; invalid UTF-8 is replaced by U+FFFD. */
  readonly comm: string | undefined
  /** From `root`; `memfd:name` for files without a place. */
  readonly exe: string | undefined
  /** The file was unlinked when it was executed. */
  readonly exeDeleted: boolean
  /** Only the lower part of `exe` is known, behind `.../`: a path is cut at 4,096 bytes. */
  readonly exeTruncated: boolean
  /** The file of `exe`, with what is in it as far as that was known when the event was delivered; only with `executables`. */
  readonly executable: Executable | undefined
  /** From `root`. */
  readonly cwd: string | undefined
  /** As `exeTruncated`. */
  readonly cwdTruncated: boolean
  /** The process's root directory in its mount namespace: `/` unless it is in a chroot. */
  readonly root: string | undefined
  readonly argv: readonly string[] | undefined
  /** argv as the kernel has it: NUL-terminated strings, maybe cut. A new copy. */
  readonly argvBytes: Uint8Array | undefined
  /** Secrets in `argv` and `argvBytes` were replaced by `[REDACTED:hash]`. */
  readonly argvRedacted: boolean
  /** argv is longer than the limit; `argvSizeBytes` is its real size. */
  readonly argvTruncated: boolean
  readonly argvSizeBytes: number | undefined
  /** `NAME=value` strings; captured only when asked for. */
  readonly env: readonly string[] | undefined
  /** As `argvRedacted`. */
  readonly envRedacted: boolean
  readonly envTruncated: boolean
  readonly envSizeBytes: number | undefined
  /** Path within the hierarchy, beginning with `/`. */
  readonly cgroup: string | undefined
  /** How it came into the system: by whose login, in which container, or with the system; docs/context.md. */
  readonly entry: EntryPoint | undefined
  /** The container that it runs in. */
  readonly container: Container | undefined
  /** Its effective user by the container's own passwd(5); only with `containerUsers`, as far as it was known by then. */
  readonly containerUser: string | undefined
  /** Its effective group by the container's own group(5). */
  readonly containerGroup: string | undefined
  /** The pod of Kubernetes that it runs in. */
  readonly pod: Pod | undefined
  /** Unit of systemd that it belongs to: `cron.service`, `session-3.scope`. In a container: of the systemd there. */
  readonly unit: string | undefined
  /** Unit of a user's own manager. */
  readonly userUnit: string | undefined
  /** The innermost slice around `unit`. */
  readonly slice: string | undefined
  /** Number of its session of systemd-logind, such as `3` or `c1`. */
  readonly loginSession: string | undefined
  /** It is a job of that scheduler: it runs in the unit of one, and is not the scheduler itself. */
  readonly scheduler: Scheduler | undefined
  /** Exit status as in exit(3), 0 to 255; undefined while it runs and when a signal ended it. */
  readonly exitCode: number | undefined
  /** Number of the signal that ended it. */
  readonly exitSignal: number | undefined
  readonly coreDumped: boolean
  /** Who sent the signal that ended it, if that is known; undefined when none did. */
  readonly killer: Killer | undefined
  /** Epoch ns. */
  readonly exitTimeNs: bigint | undefined
  /** From start to exit, in ns of CLOCK_BOOTTIME. */
  readonly durationNs: bigint | undefined
  /** Captured only when asked for. */
  readonly usage: ProcessUsage | undefined
}

/** What an entry leader began: the system, a kernel thread, a login by ssh, by SSM, at a terminal or console, a container. */
export type EntryType = 'init' | 'kthread' | 'sshd' | 'ssm' | 'container' | 'terminal' | 'console'

/** Where a process descends from. */
export interface EntryPoint {
  readonly type: EntryType
  /** Pid of the entry leader. */
  readonly pid: number
  /** Address that an ssh login came from, as the environment of the entry leader says. */
  readonly address: string | undefined
  /** Its port. */
  readonly port: number | undefined
}

/** A container. Beyond id and runtime it has what the runtime said, when that was asked (docs/context.md). */
export interface Container {
  /** As the path of the cgroup has it: 64 hexadecimal digits, or a name where the runtime has no numbers. */
  readonly id: string
  /** Undefined where the path does not say it. */
  readonly runtime: ContainerRuntime | undefined
  readonly name: string | undefined
  /** Name of the image without tag and digest. */
  readonly image: string | undefined
  readonly imageTag: string | undefined
  /** `sha256:` and the digits. */
  readonly imageDigest: string | undefined
  readonly labels: Readonly<Record<string, string>> | undefined
}

/** A pod of Kubernetes. Beyond its uid it has what the API of Kubernetes said, when that was asked. */
export interface Pod {
  readonly uid: string
  readonly name: string | undefined
  readonly namespace: string | undefined
  readonly node: string | undefined
  /** Name of the cluster. */
  readonly cluster: string | undefined
  readonly clusterId: string | undefined
  /** Version of Kubernetes. */
  readonly clusterVersion: string | undefined
  readonly ips: readonly string[] | undefined
  readonly labels: Readonly<Record<string, string>> | undefined
}

/** Who sent the signal that ended a process. */
export interface Killer {
  /** A process, the kernel itself (a fault, a terminal, a timer), or the kernel since memory was short. */
  readonly by: 'process' | 'kernel' | 'oomKiller'
  /** Of the process that sent it, which may be the one that ended; as all below undefined when none did. */
  readonly pid: number | undefined
  /** Its real user. */
  readonly uid: number | undefined
  /** Its name. */
  readonly comm: string | undefined
}

/** What a process and its threads used, at its end. */
export interface ProcessUsage {
  readonly userTimeNs: bigint
  readonly systemTimeNs: bigint
  readonly peakRssBytes: number
  /** Bytes fetched from and sent to storage. */
  readonly readBytes: bigint
  readonly writeBytes: bigint
}

/** The ids of a process at some time. */
export interface Ids {
  readonly sid: number
  readonly uid: number
  readonly euid: number
  readonly suid: number
  readonly gid: number
  readonly egid: number
  readonly sgid: number
}
