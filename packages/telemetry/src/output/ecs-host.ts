import { obj, str, strs } from './fragments.js'

/** The machine, for ECS; unknown members are undefined, unknown addresses an empty list. */
export interface EcsHost {
  readonly hostname: string | undefined
  /** From machine-id(5). */
  readonly machineId?: string | undefined
  /** As `uname -m` says. */
  readonly architecture: string | undefined
  readonly bootId: string | undefined
  /** As `uname -r` says. */
  readonly kernelRelease: string | undefined
  /** `NAME` of os-release(5). */
  readonly osName: string | undefined
  /** `VERSION_ID` of os-release(5). */
  readonly osVersion: string | undefined
  /** `PRETTY_NAME` of os-release(5). */
  readonly osFull: string | undefined
  /** `ID` of os-release(5). */
  readonly osId?: string | undefined
  /** Whose cloud it runs in. */
  readonly cloudProvider?: string | undefined
  readonly cloudRegion?: string | undefined
  readonly cloudZone?: string | undefined
  readonly cloudInstanceId?: string | undefined
  readonly ips: readonly string[]
  /** Octets in hexadecimal, with any separators. */
  readonly macs: readonly string[]
  /** All capabilities that its processes can have, `0x` and hexadecimal digits. Lean documents say which sets are not that. */
  readonly capabilities?: string | undefined
}

/** What identifies the machine, as a fragment. */
export function hostIdentity({ hostname, machineId }: EcsHost): string {
  return obj('host', str('name', hostname) + str('id', machineId))
}

/** All that is known of the machine and its cloud, as a fragment. */
export function hostFields(host: EcsHost): string {
  const machine = obj(
    'host',
    str('hostname', host.hostname) +
      str('name', host.hostname) +
      str('id', host.machineId) +
      str('architecture', host.architecture) +
      obj('boot', str('id', host.bootId)) +
      strs('ip', host.ips) +
      strs('mac', host.macs.map(macAddress)) +
      obj(
        'os',
        str('type', 'linux') +
          str('kernel', host.kernelRelease) +
          str('name', host.osName) +
          str('version', host.osVersion) +
          str('full', host.osFull) +
          str('platform', host.osId),
      ),
  )
  return machine + cloudFields(host)
}

function cloudFields({ cloudProvider, cloudRegion, cloudZone, cloudInstanceId }: EcsHost): string {
  return obj(
    'cloud',
    str('provider', cloudProvider) +
      str('region', cloudRegion) +
      str('availability_zone', cloudZone) +
      obj('instance', str('id', cloudInstanceId)),
  )
}

/** The machine with texts and lists of at most so many characters each. */
export function cutHost(host: EcsHost, limit: number): EcsHost {
  const cut = (value: unknown): unknown => {
    if (typeof value === 'string') return value.slice(0, limit)
    if (!Array.isArray(value)) return value
    let left = limit
    return value.filter((text: string) => (left -= text.length + 1) >= 0)
  }
  return Object.fromEntries(
    Object.entries(host).map(([name, value]) => [name, cut(value)]),
  ) as unknown as EcsHost
}

/** The notation of RFC 7042: `00-00-5E-00-53-23`. */
function macAddress(mac: string): string {
  const octets = mac.replace(/[^\da-f]/gi, '').toUpperCase()
  return octets.match(/../g)?.join('-') ?? octets
}
