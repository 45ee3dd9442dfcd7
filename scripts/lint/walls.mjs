// A rule for oxlint: files import only what the room that they lie in may import (rooms.mjs).
import { dirname, join } from 'node:path'
import { packages } from './rooms.mjs'

const SOURCE = /^(.*\/packages\/([^/]+))\/src\/(.+)$/

/** The longest room whose name begins the path: `kinds/process/rungs` before `kinds`. */
function roomOf(rooms, path) {
  const parts = path.replace(/\.[cm]?[jt]s$/, '').split('/')
  for (let length = parts.length; length > 0; length -= 1) {
    const name = parts.slice(0, length).join('/')
    if (Object.hasOwn(rooms, name)) return name
    // One rule for folders of one sort: `kinds/*`.
    const sort = [...parts.slice(0, length - 1), '*'].join('/')
    if (length > 1 && length < parts.length && Object.hasOwn(rooms, sort)) return sort
  }
  return './'
}

/** The folder that a room of a sort stands for: files of `kinds/process` may import their own kind, and no other. */
function instanceOf(room, path) {
  return room.endsWith('/*') ? path.split('/').slice(0, room.split('/').length).join('/') : room
}

function isTest(path) {
  return /\.test\.ts$|(^|\/)testing\//.test(path)
}

/** Why a file may not import another one; undefined when it may. Paths are those below `src`. */
export function breach(rooms, from, to) {
  if (isTest(from)) return undefined
  if (isTest(to)) return `"${from}" is no test: what is made for tests stays with tests`
  const room = roomOf(rooms, from)
  const other = roomOf(rooms, to)
  if (instanceOf(room, from) === instanceOf(other, to)) return undefined
  const { may } = rooms[room]
  if (may.includes('*') || may.includes(other)) return undefined
  const list = may.length === 0 ? 'nothing but itself' : may.join(', ')
  return (
    `${room} (${rooms[room].is}) may import ${list}, and not ${other} (${rooms[other].is}): ` +
    `move what both need to a room below, or let the room above put the two together`
  )
}

/** `node:*` is every module of Node; a package's name stands for all of its entries. */
function isWithin(name, prefix) {
  if (prefix.endsWith('*')) return name.startsWith(prefix.slice(0, -1))
  return name === prefix || name.startsWith(`${prefix}/`)
}

function checkPackage(rooms, from, name) {
  if (isTest(from)) return undefined
  const room = roomOf(rooms, from)
  const { packages: allowed = [] } = rooms[room]
  if (allowed.some((prefix) => isWithin(name, prefix))) return undefined
  return `${room} (${rooms[room].is}) may import no "${name}": ${allowed.length === 0 ? 'it needs nothing from outside' : `only ${allowed.join(', ')}`}`
}

const rooms = {
  meta: { type: 'problem', docs: { description: 'files import only what their room may import' } },
  create(context) {
    const [, root, name, path] = SOURCE.exec(context.filename ?? context.getFilename()) ?? []
    const table = name === undefined ? undefined : packages[name]
    if (table === undefined || path === undefined) return {}
    const check = (node) => {
      const specifier = node.source?.value
      if (typeof specifier !== 'string') return
      let message
      if (specifier.startsWith('.')) {
        const target = join(root, 'src', dirname(path), specifier)
        const inside = join(root, 'src') + '/'
        message = target.startsWith(inside)
          ? breach(table, path, target.slice(inside.length).replace(/\.js$/, '.ts'))
          : `"${specifier}" lies outside of the package`
        if (isTest(path) && !target.startsWith(inside)) message = undefined
      } else {
        message = checkPackage(table, path, specifier)
      }
      if (message !== undefined) context.report({ node, message })
    }
    return {
      ImportDeclaration: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
      ImportExpression: check,
    }
  },
}

export default { meta: { name: 'walls' }, rules: { rooms } }
