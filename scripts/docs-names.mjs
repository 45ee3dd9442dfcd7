// Finds names in the docs that do not exist any more, and what exists and is not in the docs.
import { globSync } from './glob.mjs'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ENTRIES, exportsOf } from './exports.mjs'
import { COMPLETED } from '../packages/mon/dist/commands/completions.js'
import { FAMILIES } from '../packages/mon/dist/metrics/families.js'
import { TABLE } from '../packages/mon/dist/options.js'
import { catalogue } from '../packages/telemetry/dist/kinds/index.js'
import { ecsParts, jsonParts } from '../packages/telemetry/dist/output/testing/docs.js'
import { declarations } from '../packages/telemetry/dist/stream.js'
import { OPTIONS } from '../packages/telemetry/dist/index.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (path) => readFileSync(join(root, path), 'utf8')

/** The pages, by path from the root. A log of changes names what is gone. */
export const PAGES = new Map(
  ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', ...globSync(join(root, 'docs'), /\.md$/)]
    .concat(['ebpf', 'telemetry', 'mon'].map((name) => `packages/${name}/README.md`))
    .map((path) => path.replace(root, ''))
    .map((path) => [path, read(path)]),
)

/** Options of other programs that the docs name. */
const FOREIGN_OPTIONS = new Set(
  (
    '--ignore-scripts --global --prefix --build-arg --tag --privileged --cap-add --security-opt --pid --cgroupns --net ' +
    '--volume --rm --no-guests --quick --test --test-skip-pattern --unix-socket ' +
    '--btf_encode_detached --refresh --ci --icount --run --vmlinuz --add ' +
    '--password --db-password --token-file --password-stdin --no-password'
  ).split(' '),
)

/** Pages that name what is in C, and in the schemas of others. */
const OF_OTHERS = new Set(['docs/from-c.md', 'docs/differences.md', 'docs/ecs.md'])
/** Names of other programs and of the kernel that no code of ours has. */
const FOREIGN_NAMES = new Set('skipLibCheck DataCloneError DynamicUser MemoryMax'.split(' '))

/** Where names of the library's objects are written as members: `stats().lost`. */
const MEMBERS_OF = {
  'stats()': ['QuarkStats'],
  capabilities: ['Capabilities'],
  host: ['Host'],
  quark: ['Quark'],
  Quark: ['Quark'],
  session: ['ProbeSession'],
}

/** All that is known, as the code declares it. */
export function declared() {
  const exported = new Map()
  for (const entry of Object.keys(ENTRIES)) exported.set(entry, exportsOf(entry))
  const commands = COMPLETED.map(({ words, options, operands }) => ({ words, options, operands }))
  const sources = [...globSync(join(root, 'packages'), /\/src\/(?!.*(?:\.test\.ts|testdata)).*\.ts$/)]
    .concat(
      globSync(join(root, 'scripts'), /(?<!docs-names|\.test)\.mjs$/),
      globSync(join(root, 'examples'), /\.mjs$/),
    )
    .map((path) => readFileSync(path, 'utf8'))
    .join('\n')
  return {
    exported,
    commands,
    missing: TABLE.missing,
    identifiers: new Set(sources.match(/[A-Za-z_$][\w$]*/g)),
    scripts: Object.keys(JSON.parse(read('package.json')).scripts),
    options: Object.keys(OPTIONS),
    fields: fieldNames(),
    ecs: new Set(spansOf(Object.values(ecsParts(catalogue)).join('\n'))),
    metrics: FAMILIES.map(({ name, type }) => (type === 'counter' ? `${name}_total` : name)),
  }
}

/** Names in the first columns of the tables of docs/json.md. */
function fieldNames() {
  const rows = Object.values(jsonParts(declarations))
    .join('\n')
    .matchAll(/^\| `(\w+)` \|/gm)
  return new Set([...rows].map(([, name]) => name))
}

function spansOf(text) {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, span]) => span)
}

/** Code in a page: `spans` in lines, and `blocks` with their languages. */
function codeOf(text) {
  const blocks = [...text.matchAll(/^```(\w*)\n([^]*?)\n```$/gm)].map(([, language, code]) => ({
    language,
    code,
  }))
  const lines = text.replaceAll(/^```\w*\n[^]*?\n```$/gm, '').split('\n')
  const spans = lines.flatMap(spansOf)
  return { blocks, spans }
}

/** What a page names that does not exist, as sentences. */
export function stale(path, text, known = declared()) {
  const problems = []
  const add = (what) => problems.push(`${path}: ${what}`)
  const { blocks, spans } = codeOf(text)
  for (const { language, code } of blocks) {
    if (language === 'sh' || language === '')
      for (const line of code.split('\n')) checkCommand(line, known, add)
    if (language === 'js' || language === 'ts') checkImports(code, known, add)
  }
  for (const span of spans) {
    checkCommand(span, known, add)
    checkOption(span, known, add)
    if (path !== 'docs/ecs.md') checkMember(span, known, add)
    checkName(path, span, known, add)
  }
  for (const [, name] of text.matchAll(/npm run ([\w:-]+)/g))
    if (!known.scripts.includes(name)) add(`npm run ${name} does not exist`)
  for (const [, link] of text.matchAll(/\]\(([^)#:\s]+)(?:#[^)]*)?\)/g))
    if (!existsSync(join(root, dirname(path), link))) add(`the link ${link} leads nowhere`)
  for (const [, name] of text.matchAll(/`((?:quark|process)_[a-z_]+)`/g))
    if (path === 'docs/running.md' && !known.metrics.includes(name)) add(`the metric ${name} does not exist`)
  return [...new Set(problems)]
}

/** A command line of ours: each of its options must be one. */
function checkCommand(line, known, add) {
  const words = line.replace(/\s#(?:\s.*)?$/, '').split(/\s+/)
  const at = words.findIndex((word) => /^(?:\S*\/bin\/)?quark-(?:mon|btf)$/.test(word))
  if (at === -1 || words.slice(0, at).some((word) => !/^(?:[$#%>]|sudo|npx|&&|\||\S+)$/.test(word))) return
  const [name, first] = [words[at].replace(/.*\//, ''), words[at + 1]]
  const own = known.commands.filter(({ words }) => words[0] === name)
  const command =
    own.find(({ words }) => words[1] !== undefined && words[1] === first) ??
    own.find(({ words }) => words[1] === undefined)
  for (const word of words.slice(at + 1)) {
    if (word === '--' || /^[|>&;)]/.test(word)) return
    const [, long, letters] = /^(?:--([a-z][\w-]*)|-([A-Za-z]+))/.exec(word) ?? []
    const { options } = command
    if (long !== undefined && !options.some((option) => option.long === long))
      add(`${name} has no option --${long}`)
    const letter = letters?.[0]
    if (letter !== undefined && ![...options, ...known.missing].some(({ short }) => short === letter))
      add(`${name} has no option -${letter}`)
  }
}

/** An option alone. */
function checkOption(span, known, add) {
  const [, long] = /^(--[a-z][\w-]*)(?:[=[ ].*)?$/.exec(span) ?? []
  if (long === undefined || FOREIGN_OPTIONS.has(long)) return
  const exists = known.commands.some(({ options }) => options.some((option) => `--${option.long}` === long))
  if (!exists) add(`no command has the option ${long}`)
}

function checkImports(code, known, add) {
  for (const [, names, entry] of code.matchAll(/import (?:type )?\{([^}]*)\} from '(quark-[\w/-]+)'/g)) {
    const exported = known.exported.get(entry)
    if (exported === undefined) {
      add(`there is no ${entry} to import from`)
      continue
    }
    for (const part of names.split(',')) {
      const [name] = part
        .trim()
        .replace(/^type /, '')
        .split(' as ')
      if (name !== '' && !exported.has(name)) add(`${entry} does not export ${name}`)
    }
  }
}

function checkMember(span, known, add) {
  if (known.ecs.has(span) || /\.(?:ts|md|mjs|h|c)$/.test(span)) return
  const [, base, member] = /^(?:quark\.)?(stats\(\)|\w+)\.(\w+)/.exec(span) ?? []
  const owners = base === undefined || !Object.hasOwn(MEMBERS_OF, base) ? undefined : MEMBERS_OF[base]
  if (owners === undefined) return
  const all = [...known.exported.values()]
  const has = owners.some((owner) => all.some((names) => names.get(owner)?.members?.has(member) === true))
  if (!has) add(`${base}.${member} does not exist`)
}

/** A name of ours, in one word with a hump, or a member of that form: it must be a word of the code. */
function checkName(path, span, known, add) {
  const names = /^[\w$.]+(?:\(\))?$/.test(span) ? span.replace('()', '').split('.') : []
  for (const name of names) {
    const isName = /[a-z][A-Z]/.test(name) || (name.startsWith('quark_') && !OF_OTHERS.has(path))
    if (!isName || FOREIGN_NAMES.has(name) || name in globalThis) continue
    if (!known.identifiers.has(name) && !known.fields.has(name) && !known.metrics.includes(name))
      add(`nothing is called ${name}`)
  }
}

/** What exists and no page names, as sentences. */
export function undocumented(pages = PAGES, known = declared()) {
  const text = [...pages.values()].join('\n')
  const words = new Set(text.match(/[A-Za-z_$][\w$]*/g))
  const options = new Set(text.match(/--?[a-zA-Z][\w-]*/g))
  const problems = []
  for (const { words, options: own } of known.commands)
    for (const { long } of own)
      if (!options.has(`--${long}`)) problems.push(`the option --${long} of ${words.join(' ')} is in no page`)
  for (const [entry, names] of known.exported)
    for (const name of names.keys())
      if (!words.has(name)) problems.push(`${name}, which ${entry} exports, is in no page`)
  for (const name of known.fields) if (!words.has(name)) problems.push(`the field ${name} is in no page`)
  for (const name of known.options) if (!words.has(name)) problems.push(`the option ${name} is in no page`)
  for (const name of known.metrics) if (!words.has(name)) problems.push(`the metric ${name} is in no page`)
  return problems
}

/** What is allowed as a name of others, and no page names any more. */
export function unusedForeign(pages = PAGES) {
  const text = [...pages.values()].join('\n')
  return [...FOREIGN_OPTIONS, ...FOREIGN_NAMES].filter((name) => !text.includes(name))
}
