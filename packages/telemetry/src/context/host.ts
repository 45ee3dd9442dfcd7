/** Facts about the machine, which are the same for all its events. */

import { readFileSync } from 'node:fs'
import { hostname, machine, networkInterfaces, release } from 'node:os'
import { readCloud } from './cloud.js'

/** The machine that events come from, as it was when the queue was opened. What is not known is undefined. */
export interface Host {
  readonly hostname: string | undefined
  /** As uname(2) says: `x86_64`, `aarch64` … */
  readonly architecture: string | undefined
  /** From machine-id(5): the same for all boots of an installation. */
  readonly machineId: string | undefined
  /** Changes with every boot. */
  readonly bootId: string | undefined
  /** As uname(2) says. */
  readonly kernelRelease: string | undefined
  /** `NAME` of os-release(5), such as `Debian GNU/Linux`. */
  readonly osName: string | undefined
  /** `VERSION_ID`, such as `12`. */
  readonly osVersion: string | undefined
  /** `PRETTY_NAME`, such as `Debian GNU/Linux 12 (bookworm)`. */
  readonly osFull: string | undefined
  /** `ID`, such as `debian`. */
  readonly osId: string | undefined
  /** `RELEASE_TYPE`, such as `stable`. */
  readonly osReleaseType: string | undefined
  /**
   * All capabilities that its processes can have: the bounding set of process 1, `0x` and 16 hexadecimal digits. Kernels have
   * different ones, and a machine may have given up some.
   */
  readonly capabilities: string | undefined
  /** Whose cloud it runs in, as cloud-init or the firmware says: `aws`, `gcp`, `azure` … Nobody is asked over a network. */
  readonly cloudProvider: string | undefined
  readonly cloudRegion: string | undefined
  readonly cloudZone: string | undefined
  readonly cloudInstanceId: string | undefined
  /** Addresses of all interfaces that are up, each once; IPv6 without zone. */
  readonly ips: readonly string[]
  /** Link addresses, each once: six pairs of lower case hexadecimal digits with colons between. */
  readonly macs: readonly string[]
}

/** One interface as `os.networkInterfaces` lists it. */
export interface InterfaceAddress {
  readonly address: string
  readonly mac: string
}

/** Files that os-release(5) names, in order of precedence. */
const OS_RELEASE_PATHS = ['/etc/os-release', '/usr/lib/os-release']

/** Reads the facts about this machine. Never throws. */
export function readHost(): Host {
  const osRelease = parseOsRelease(OS_RELEASE_PATHS.map(readText).find((text) => text !== undefined) ?? '')
  const fact = (name: string): string | undefined => nonEmpty(osRelease.get(name))
  return {
    hostname: nonEmpty(hostname()),
    architecture: nonEmpty(machine()),
    machineId: parseMachineId(readText('/etc/machine-id')),
    bootId: readBootId(),
    kernelRelease: nonEmpty(release()),
    osName: fact('NAME'),
    osVersion: fact('VERSION_ID'),
    osFull: fact('PRETTY_NAME'),
    osId: fact('ID'),
    osReleaseType: fact('RELEASE_TYPE'),
    capabilities: readCapabilities(),
    ...readCloud(),
    ...addressesOf(interfaceAddresses()),
  }
}

/** The machine of which nothing is known but what a recording of an earlier version has. */
export function unknownHost(bootId: string | undefined, kernelRelease: string | undefined): Host {
  return {
    hostname: undefined,
    architecture: undefined,
    machineId: undefined,
    bootId,
    kernelRelease,
    osName: undefined,
    osVersion: undefined,
    osFull: undefined,
    osId: undefined,
    osReleaseType: undefined,
    capabilities: undefined,
    cloudProvider: undefined,
    cloudRegion: undefined,
    cloudZone: undefined,
    cloudInstanceId: undefined,
    ips: [],
    macs: [],
  }
}

/** What a recording says of the machine that it is of; undefined if that is nothing. Files may come from anywhere. */
export function hostOf(value: unknown): Host | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const members = value as Readonly<Record<string, unknown>>
  const host: Record<string, unknown> = { ...unknownHost(undefined, undefined) }
  for (const [name, unknown] of Object.entries(host)) {
    const found = members[name]
    const isRight = Array.isArray(unknown)
      ? Array.isArray(found) && found.every((text) => typeof text === 'string')
      : typeof found === 'string'
    if (isRight) host[name] = found
  }
  return host as unknown as Host
}

/** 32 hexadecimal digits; anything else, such as `uninitialized`, identifies no machine. */
export function parseMachineId(text: string | undefined): string | undefined {
  return /^[\da-f]{32}\n?$/.test(text ?? '') && !/^0+\n?$/.test(text ?? '') ? text?.trim() : undefined
}

/** The bounding set in the text of /proc/[pid]/status. */
export function boundingSetOf(status: string | undefined): string | undefined {
  const digits = /^CapBnd:\s*([\da-f]{1,16})$/m.exec(status ?? '')?.[1]
  return digits === undefined ? undefined : `0x${digits.padStart(16, '0')}`
}

/** What `Host.capabilities` is of this machine. */
export function readCapabilities(): string | undefined {
  return boundingSetOf(readText('/proc/1/status'))
}

/** Whether a machine is this one, as far as can be known: by the ids of the installation, or of the boot. */
export function isThisMachine({ machineId, bootId }: Pick<Host, 'machineId' | 'bootId'>): boolean {
  const own = parseMachineId(readText('/etc/machine-id'))
  return (machineId !== undefined && machineId === own) || (bootId !== undefined && bootId === readBootId())
}

/** A UUID that changes with every boot. */
export function readBootId(): string | undefined {
  return nonEmpty(readText('/proc/sys/kernel/random/boot_id')?.trim())
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

function interfaceAddresses(): InterfaceAddress[] {
  try {
    return Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  } catch {
    return []
  }
}

/** The addresses of all interfaces, in their order and each once; MACs of zeros are none. */
export function addressesOf(interfaces: readonly InterfaceAddress[]): { ips: string[]; macs: string[] } {
  const isMac = (mac: string): boolean => /^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac) && /[1-9a-f]/.test(mac)
  return {
    ips: [...new Set(interfaces.map(({ address }) => address))],
    macs: [...new Set(interfaces.map(({ mac }) => mac.toLowerCase()).filter(isMac))],
  }
}

/** Reads the assignments of os-release(5), which are quoted as in a shell. Of several the last counts. */
export function parseOsRelease(text: string): Map<string, string> {
  const assignments = new Map<string, string>()
  for (const line of text.split('\n')) {
    const match = /^\s*([A-Za-z_][A-Za-z0-9_]*)=(.*?)\s*$/.exec(line)
    const [, name, value] = match ?? []
    if (name !== undefined && value !== undefined) assignments.set(name, unquoted(value))
  }
  return assignments
}

/** One shell word: parts in double quotes, in single quotes and without quotes may follow each other. */
function unquoted(word: string): string {
  return word.replace(
    /"((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)/g,
    (_, double: string | undefined, single: string | undefined, escaped: string | undefined) =>
      double?.replace(/\\(["$\\`])/g, '$1') ?? single ?? escaped ?? '',
  )
}
