/** Tables of docs/rules.md. */

import type { RuleField } from '../fields.js'

const VALUES: Readonly<Record<RuleField['type'], string>> = {
  number: 'number',
  tag: 'number',
  pattern: 'text',
  dnsName: 'name',
  network: 'address, network or name',
  word: 'word',
}

/** The fields that rules can ask. */
export function ruleParts(fields: Iterable<RuleField>): Record<string, string> {
  const rows = [...fields].map(
    ({ name, type, doc, isInC }) =>
      `| \`${name}\` | ${VALUES[type]} | ${doc} | ${isInC === true ? 'yes' : ''} |`,
  )
  return { fields: `| Field | Value | | In C |\n|---|---|---|---|\n${rows.join('\n')}\n` }
}
