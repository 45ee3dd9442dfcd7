// docs/from-c.md: each row works, or has its reason.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { parseCommandLine } from '../packages/mon/dist/parse.js'
import { OPTIONS } from '../packages/telemetry/dist/index.js'

const page = readFileSync(new URL('../docs/from-c.md', import.meta.url), 'utf8')

/** The rows of the tables of a section, as cells. */
function rowsOf(title) {
  const [, section] = new RegExp(`^## ${title}\n([^]*?)(?=^## |$(?![^]))`, 'm').exec(page) ?? []
  assert.ok(section, `There is a section ${title}`)
  return section
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(1)
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim())
        .slice(1, -1),
    )
}

const SECTIONS = [
  'Calls',
  'Attributes',
  'Flags',
  'Events',
  'A process',
  'Counters',
  'Environment',
  'quark-mon',
  'quark-test',
]
const NOT_THERE = /^(?:not there|refused|internal|no meaning|no call)/

test('nothing is promised for later', () => {
  assert.doesNotMatch(page, /not there yet|not yet|later version|planned|to do\b/i)
})

test('what is not there has its reason', () => {
  let count = 0
  for (const title of SECTIONS) {
    for (const [name, here] of rowsOf(title)) {
      assert.notEqual(here, undefined, `${title}: ${name}`)
      if (!NOT_THERE.test(here)) continue
      count += 1
      assert.match(here, /^[a-z ]+(?:: |\. )\S.{10,}/, `${title}: ${name}`)
    }
  }
  assert.ok(count > 5, `${count}`)
})

test('each option of the C quark-mon is taken with what the row says, or refused with a reason', () => {
  const letters = rowsOf('quark-mon').flatMap(([name, here]) => {
    const [, letter, argument] = /^`-(\w)(?: (\w+))?`/.exec(name) ?? []
    return letter === undefined ? [] : [{ letter, argument, here }]
  })
  // Those of its synopsis.
  assert.equal(letters.map(({ letter }) => letter).join(''), 'BbCDEeFGgHKkLlMmNnPrSsTtVvh')
  const values = { file: '/dev/null', cfg: '/dev/null', n: '100', ppid: '1' }
  for (const { letter, argument, here } of letters) {
    const args = [`-${letter}`, ...(argument === undefined ? [] : [values[argument]])]
    assert.ok(
      args.every((one) => one !== undefined),
      `${letter} ${argument}`,
    )
    if (here.startsWith('refused')) assert.throws(() => parseCommandLine(args), /quark-mon rules explain/)
    else assert.doesNotThrow(() => parseCommandLine(args), args.join(' '))
  }
})

test('each option that takes the place of an attribute or a flag exists', () => {
  for (const [name, , here] of rowsOf('Attributes')) {
    for (const [, option] of (here ?? '').matchAll(/`(\w+)`/g)) {
      assert.ok(option in OPTIONS || ['where', 'signal'].includes(option), `${name}: ${option}`)
    }
  }
  for (const [name, here] of rowsOf('Flags')) {
    for (const [, option] of here.matchAll(/`(\w+): /g)) assert.ok(option in OPTIONS, `${name}: ${option}`)
  }
})
