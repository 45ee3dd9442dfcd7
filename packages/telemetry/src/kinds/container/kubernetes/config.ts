/** How the API of Kubernetes is reached: the service account of a pod, or a file of kubectl. */

import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { homedir, hostname } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import type * as yaml from 'yaml'
import { QuarkError } from '../../../errors.js'
import { itemsOf, type Members, membersOf, textOf } from '../details.js'

/** Where the API is, and who asks. */
export interface KubeApi {
  /** For messages. */
  readonly name: string
  readonly url: URL
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  readonly isTrusting?: boolean
  /** The token of now: that of a service account changes every hour. */
  token(): string | undefined
  /** The node whose pods are watched. */
  readonly node: string
}

const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'
/** Longest path, token or certificate. */
const MAX_TEXT = 1 << 20

/**
 * How the API is reached.
 *
 * @param file of `-K`; without it the service account, then `KUBECONFIG`, then `~/.kube/config`
 * @throws {QuarkError} when there is no usable one
 */
export function kubeApi(file: string | undefined, account = ACCOUNT): KubeApi {
  if (file === undefined) {
    const own = accountApi(account)
    if (own !== undefined) return own
  }
  const path = file ?? process.env['KUBECONFIG']?.split(':')[0] ?? join(homedir(), '.kube/config')
  if (file === undefined && !existsSync(path))
    throw new QuarkError(
      'ERR_QUARK_SYSTEM',
      `there is neither a service account of Kubernetes nor ${path}: name a file with kubeconfig`,
    )
  try {
    return fileApi(path)
  } catch (error) {
    throw new QuarkError('ERR_QUARK_SYSTEM', `${path} cannot be used: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

/** The name of this node, as Kubernetes has it. */
function nodeName(): string {
  return process.env['QUARK_NODE_NAME'] ?? process.env['NODE_NAME'] ?? hostname().toLowerCase()
}

function accountApi(account: string): KubeApi | undefined {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = process.env
  if (host === undefined || readText(join(account, 'token')) === undefined) return undefined
  const authority = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  let last: string | undefined
  return {
    name: `Kubernetes at ${authority}`,
    url: new URL(`https://${authority}`),
    ca: readText(join(account, 'ca.crt')),
    // After the process has given up its rights the file cannot be read: the last token may still be good.
    token: () => (last = readText(join(account, 'token'))?.trim() ?? last),
    node: nodeName(),
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

function fileApi(path: string): KubeApi {
  // Loaded when it is needed: it is large.
  const { parse } = createRequire(import.meta.url)('yaml') as typeof yaml
  const config = membersOf(parse(readFileSync(path, 'utf8'), { maxAliasCount: 10 }))
  const context = named(config['contexts'], 'context', textOf(config['current-context']))
  const cluster = named(config['clusters'], 'cluster', textOf(context['cluster']))
  const user = named(config['users'], 'user', textOf(context['user']))
  const server = textOf(cluster['server'], 2048)
  if (server === undefined) throw new Error('its current context names no cluster with a server')
  const url = new URL(server)
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw new Error(`${server} is no address of HTTP`)
  if (user['exec'] !== undefined || user['auth-provider'] !== undefined)
    throw new Error('its user needs a program to log in: give a token or a certificate')
  const folder = dirname(resolve(path))
  const tokenFile = textOf(user['tokenFile'], 4096)
  const token = textOf(user['token'], MAX_TEXT)
  let last = token
  return {
    name: `Kubernetes at ${url.host}`,
    url,
    ca: textIn(cluster, 'certificate-authority', folder),
    cert: textIn(user, 'client-certificate', folder),
    key: textIn(user, 'client-key', folder),
    isTrusting: cluster['insecure-skip-tls-verify'] === true,
    token: () =>
      tokenFile === undefined ? token : (last = readText(resolve(folder, tokenFile))?.trim() ?? last),
    node: nodeName(),
  }
}

/** The item of a list that has a name. */
function named(list: unknown, what: string, name: string | undefined): Members {
  const found = itemsOf(list).find((one) => name !== undefined && membersOf(one)['name'] === name)
  if (found === undefined) throw new Error(`it has no ${what} "${name ?? ''}"`)
  return membersOf(membersOf(found)[what])
}

/** A text in the file itself, in Base64, or in another file. */
function textIn(members: Members, name: string, folder: string): string | undefined {
  const data = textOf(members[`${name}-data`], MAX_TEXT)
  if (data !== undefined) return Buffer.from(data, 'base64').toString('utf8')
  const file = textOf(members[name], 4096)
  return file === undefined ? undefined : readFileSync(resolve(folder, file), 'utf8')
}
