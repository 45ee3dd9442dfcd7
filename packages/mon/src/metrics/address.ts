/** Where metrics are served: on this machine only, as there are no passwords. */

import { ValueError } from '../values.js'

/** A Unix socket, or a port of a loopback address. */
export type MetricsAddress = { readonly path: string } | { readonly host: string; readonly port: number }

/** A path of a Unix socket has room for so many bytes. */
const MAX_PATH_BYTES = 107

/**
 * The address that a text names: `/run/quark.sock`, `unix:quark.sock`, `127.0.0.1:9464`, `[::1]:9464`, `localhost:9464`
 * or `9464`.
 *
 * @throws {ValueError} for anything else, and for addresses that others can reach
 */
export function metricsAddress(text: string): MetricsAddress {
  if (text.startsWith('unix:') || text.includes('/')) return { path: socketPath(text.replace(/^unix:/, '')) }
  const [, name, digits = ''] = /^(?:(.*):)?(\d+)$/.exec(text) ?? []
  const host = digits === '' ? undefined : loopback(name ?? 'localhost')
  const port = Number(digits)
  if (host === undefined || port < 1 || port > 65_535) {
    throw new ValueError(
      'give the path of a Unix socket, such as /run/quark/metrics.sock, or a port of this machine alone, such as ' +
        '127.0.0.1:9464 or [::1]:9464',
    )
  }
  return { host, port }
}

/** As a person writes it. */
export function addressText(address: MetricsAddress): string {
  if ('path' in address) return address.path
  const { host, port } = address
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function socketPath(path: string): string {
  const bytes = Buffer.byteLength(path)
  if (bytes > 0 && bytes <= MAX_PATH_BYTES && !path.includes('\0')) return path
  throw new ValueError(`give a path of 1 to ${MAX_PATH_BYTES} bytes`)
}

/** Names are not looked up: what they mean is for others to decide. */
function loopback(name: string): string | undefined {
  if (name === 'localhost') return '127.0.0.1'
  if (name === '[::1]') return '::1'
  const parts = name.split('.')
  const isLoopback =
    parts.length === 4 &&
    parts[0] === '127' &&
    parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)
  return isLoopback ? name : undefined
}
