// Writes what is made of declarations and code: tables and listings in docs/, and the JSON Schema of the library. With
// --check it fails when something has changed.
import { readFileSync, writeFileSync } from 'node:fs'
import { catalogue } from '../packages/telemetry/dist/kinds/index.js'
import { declarations } from '../packages/telemetry/dist/stream.js'
import { schemaOf } from '../packages/telemetry/dist/output/schema.js'
import { apiPage } from './exports.mjs'
import { exitStatusRows } from '../packages/mon/dist/exit-status.js'
import { reportSchema } from '../packages/telemetry/dist/report/schema.js'
import { reportParts } from '../packages/telemetry/dist/report/testing/docs.js'
import { ruleParts } from '../packages/telemetry/dist/rules/testing/docs.js'
import { RULE_FIELDS } from '../packages/telemetry/dist/rule-sets.js'
import { ecsParts, fillIn, jsonParts, textParts } from '../packages/telemetry/dist/output/testing/docs.js'

const check = process.argv.includes('--check')
const read = (path) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8')

/** The files of a kind as listings, without their opening comments. */
function listings(folder, names) {
  const listing = (name) => {
    const code = read(`${folder}/${name}.ts`).replace(/^\/\*\*[^]*?\*\/\n\n/, '')
    return [name, `\`${name}.ts\`:\n\n\`\`\`ts\n${code}\`\`\`\n`]
  }
  return Object.fromEntries(names.map(listing))
}

const made = {
  'docs/adding-a-kind.md': (page) =>
    fillIn(
      page,
      listings('packages/telemetry/src/kinds/testing/priority', [
        'records',
        'facts',
        'audited',
        'notes',
        'options',
        'events',
        'table',
        'apply',
        'scan',
        'index',
      ]),
    ),
  'docs/api.md': apiPage,
  'docs/json.md': (page) => fillIn(page, jsonParts(declarations)),
  'docs/ecs.md': (page) => fillIn(page, ecsParts(declarations)),
  'packages/telemetry/schema.json': () => `${JSON.stringify(schemaOf(declarations), undefined, 2)}\n`,
  'packages/telemetry/report.schema.json': () => `${JSON.stringify(reportSchema(), undefined, 2)}\n`,
  'docs/run.md': (page) =>
    fillIn(page, {
      statuses: `| Status | Means |\n|---:|---|\n${exitStatusRows()
        .map(([status, doc]) => `| ${status} | ${doc} |\n`)
        .join('')}`,
    }),
  'docs/report.md': (page) => fillIn(page, reportParts()),
  'docs/rules.md': (page) => fillIn(page, ruleParts(RULE_FIELDS.values())),
  'docs/text.md': (page) => fillIn(page, textParts(catalogue)),
}

for (const [path, make] of Object.entries(made)) {
  let before
  try {
    before = read(path)
  } catch {
    before = ''
  }
  const after = make(before)
  if (after === before) continue
  console.log(`${check ? 'Differs' : 'Wrote'}: ${path}`)
  if (check) process.exitCode = 1
  else writeFileSync(new URL(`../${path}`, import.meta.url), after)
}
if (process.exitCode === 1) console.error('Declarations changed: run `npm run docs` and look at the diff')
