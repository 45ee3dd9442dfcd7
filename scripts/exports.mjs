// The exported names of the packages with the comments on them, read from what the compiler made of the sources.
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** What a program imports from, and where the compiler put its types. */
export const ENTRIES = {
  'quark-telemetry': 'packages/telemetry/dist/index.d.ts',
  'quark-telemetry/testing': 'packages/telemetry/dist/assertions.d.ts',
  'quark-ebpf': 'packages/ebpf/dist/index.d.ts',
  'quark-ebpf/probe': 'packages/ebpf/dist/probe/index.d.ts',
  'quark-ebpf/asm': 'packages/ebpf/dist/asm/index.d.ts',
  'quark-ebpf/btf': 'packages/ebpf/dist/btf/index.d.ts',
}

const DECLARATION =
  /(?:(\/\*\*(?:(?!\*\/)[^])*\*\/)\s*)?export (?:declare )?(?:abstract )?(?:class|interface|type|const|function) (\w+)/g
const MEMBER =
  /(?:(\/\*\*(?:(?!\*\/)[^])*\*\/)\s*)?^ {4}(?:static )?(?:readonly )?(?:get )?([a-z]\w*)\??[:(<]/gm

const files = new Map()

/** The exports of an entry: name → `{ comment, members }`; both are absent where there are none. */
export function exportsOf(entry) {
  return exportsOfFile(join(root, ENTRIES[entry]))
}

function exportsOfFile(path) {
  const known = files.get(path)
  if (known !== undefined) return known
  const found = new Map()
  files.set(path, found)
  const text = readFileSync(path, 'utf8')
  for (const [, comment, name] of text.matchAll(DECLARATION)) {
    const earlier = found.get(name)
    if (earlier?.comment === undefined)
      found.set(name, { comment: plain(comment), members: membersOf(text, name) ?? earlier?.members })
  }
  const imported = new Map()
  for (const [, names, from] of text.matchAll(/import (?:type )?\{([^}]*)\} from '(\.[^']+)'/g))
    for (const name of names.split(',')) imported.set(name.trim().replace(/^type /, ''), from)
  for (const [, names] of text.matchAll(/export (?:type )?\{([^}]*)\};/g))
    for (const name of names.split(',').map((part) => part.trim().replace(/^type /, ''))) {
      const from = imported.get(name)
      if (from !== undefined)
        found.set(name, exportsOfFile(join(dirname(path), from.replace(/\.js$/, '.d.ts'))).get(name) ?? {})
    }
  for (const [, names, from] of text.matchAll(/export (?:type )?(\{[^}]*\}|\*) from '(\.[^']+)'/g)) {
    const others = exportsOfFile(join(dirname(path), from.replace(/\.js$/, '.d.ts')))
    if (names === '*') for (const [name, it] of others) found.set(name, it)
    else
      for (const part of names.slice(1, -1).split(',')) {
        const [name, as = name] = part
          .trim()
          .replace(/^type /, '')
          .split(' as ')
        if (name !== '') found.set(as, others.get(name) ?? {})
      }
  }
  return found
}

/** Members of an interface or a class with their comments. */
function membersOf(text, name) {
  const [, body] = new RegExp(`(?:class|interface) ${name}\\b[^{]*\\{\\n([^]*?)\\n\\}`).exec(text) ?? []
  if (body === undefined) return undefined
  return new Map([...body.matchAll(MEMBER)].map(([, comment, member]) => [member, plain(comment)]))
}

/** The first sentence of a comment. */
function plain(comment) {
  const text = comment
    ?.replaceAll(/^\/\*\*|\*\/$/g, '')
    .replaceAll(/^\s*\* ?/gm, '')
    .replace(/^@(?!throws)[^]*$|\n@[^]*$/m, '')
    .replaceAll(/\s+/g, ' ')
    .trim()
  return text === undefined ? undefined : text.split(/(?<=\.) (?=[A-Z`])/)[0].replace(/\.$/, '')
}

/** The page docs/api.md. */
export function apiPage() {
  const sections = Object.keys(ENTRIES).map((entry) => {
    const all = [...exportsOf(entry)].sort(([a], [b]) => (a < b ? -1 : 1))
    const rows = all
      .filter(([, { comment }]) => comment !== undefined)
      .map(([name, { comment }]) => row(name, comment))
    const others = all.filter(([, { comment }]) => comment === undefined).map(([name]) => `\`${name}\``)
    const rest = others.length === 0 ? '' : `\nBeside them: ${others.join(', ')}.\n`
    return `## \`${entry}\`\n\n| Name | |\n|---|---|\n${rows.join('\n')}\n${rest}`
  })
  const whole = exportsOf('quark-telemetry')
  const members = ['Quark', 'QuarkStats', 'Capabilities', 'AttachedFact', 'MissingFact', 'Host'].map(
    (name) => {
      const rows = [...(whole.get(name)?.members ?? [])].map(([member, comment = '']) => row(member, comment))
      return `### \`${name}\`\n\n| Member | |\n|---|---|\n${rows.join('\n')}\n`
    },
  )
  return `\
# Exported names

All names that the packages export, each with the first sentence of its comment; editors show the whole, and \`api/\` has the
types. This page is made of the sources: \`npm run docs\` writes it anew.

${sections.join('\n')}
## Members

Fields of events and processes are in [json.md](json.md), options in [options.md](options.md).

${members.join('\n')}`
}

function row(name, comment) {
  return `| \`${name}\` | ${comment.replaceAll('|', '\\|')} |`
}
