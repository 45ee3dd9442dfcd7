/** The cloud that this machine runs in, as files on it say. */

import { closeSync, openSync, readSync } from 'node:fs'

/** What is known of the cloud. What is not known is undefined. */
export interface Cloud {
  readonly cloudProvider: string | undefined
  readonly cloudRegion: string | undefined
  readonly cloudZone: string | undefined
  readonly cloudInstanceId: string | undefined
}

/** Where the files are; default: where systems have them. */
export interface CloudPaths {
  /** What cloud-init has found out, without what is secret of it. */
  readonly instanceData?: string
  /** A folder with what the firmware says. */
  readonly firmware?: string
}

const MAX_FILE_BYTES = 1 << 20
const MAX_TEXT = 256

/** Names of cloud-init, as ECS has them. Those of local sources are no clouds. */
const PROVIDERS: Readonly<Record<string, string>> = {
  aws: 'aws',
  azure: 'azure',
  gce: 'gcp',
  gcp: 'gcp',
  digitalocean: 'digitalocean',
  openstack: 'openstack',
  oracle: 'oracle',
  hetzner: 'hetzner',
  aliyun: 'alibaba',
  vultr: 'vultr',
  akamai: 'akamai',
  scaleway: 'scaleway',
  exoscale: 'exoscale',
  upcloud: 'upcloud',
  ibmcloud: 'ibmcloud',
}

/** What virtual machines of Azure have as the number of their chassis. */
const AZURE_CHASSIS = '7783-7084-3265-9085-8269-3286-77'

/** Reads what is known of the cloud. Never throws, and asks nobody over a network. */
export function readCloud({
  instanceData = '/run/cloud-init/instance-data.json',
  firmware = '/sys/class/dmi/id',
}: CloudPaths = {}): Cloud {
  return fromCloudInit(readText(instanceData)) ?? fromFirmware(firmware)
}

function fromCloudInit(text: string | undefined): Cloud | undefined {
  if (text === undefined) return undefined
  try {
    const { v1 } = JSON.parse(text) as { v1?: Readonly<Record<string, unknown>> }
    const fact = (name: string): string | undefined => {
      const value = v1?.[name]
      return typeof value === 'string' && value !== '' && value !== 'None' && value.length <= MAX_TEXT
        ? value
        : undefined
    }
    const name = fact('cloud_name')?.toLowerCase() ?? ''
    const cloudProvider = Object.hasOwn(PROVIDERS, name) ? PROVIDERS[name] : undefined
    if (cloudProvider === undefined) return undefined
    return {
      cloudProvider,
      cloudRegion: fact('region'),
      cloudZone: fact('availability_zone'),
      cloudInstanceId: fact('instance_id'),
    }
  } catch {
    return undefined
  }
}

function fromFirmware(folder: string): Cloud {
  const fact = (name: string): string => readText(`${folder}/${name}`)?.trim() ?? ''
  const vendor = fact('sys_vendor')
  const unknown = { cloudRegion: undefined, cloudZone: undefined, cloudInstanceId: undefined }
  if (vendor === 'Amazon EC2') {
    // On Nitro; older machines have none.
    const id = fact('board_asset_tag')
    return {
      ...unknown,
      cloudProvider: 'aws',
      cloudInstanceId: /^i-[0-9a-f]{8,32}$/.test(id) ? id : undefined,
    }
  }
  if (vendor === 'Google' && fact('product_name') === 'Google Compute Engine')
    return { ...unknown, cloudProvider: 'gcp' }
  if (vendor === 'Microsoft Corporation' && fact('chassis_asset_tag') === AZURE_CHASSIS)
    return { ...unknown, cloudProvider: 'azure' }
  const simple = {
    DigitalOcean: 'digitalocean',
    Hetzner: 'hetzner',
    'Alibaba Cloud': 'alibaba',
    Vultr: 'vultr',
  }
  return {
    ...unknown,
    cloudProvider: Object.hasOwn(simple, vendor) ? simple[vendor as keyof typeof simple] : undefined,
  }
}

function readText(path: string): string | undefined {
  let fd: number | undefined
  try {
    fd = openSync(path, 'r')
    const bytes = Buffer.allocUnsafe(MAX_FILE_BYTES)
    return bytes.toString('utf8', 0, readSync(fd, bytes, 0, MAX_FILE_BYTES, 0))
  } catch {
    return undefined
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}
