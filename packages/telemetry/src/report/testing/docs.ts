/** The tables of docs/report.md, made of the declaration of the report. */

import { type AnyMember, type AnyObject, objectsIn } from '../declare.js'
import { REPORT } from '../members.js'

/** The parts of docs/report.md. */
export function reportParts(): Record<string, string> {
  const [, ...others] = objectsIn(REPORT)
  return {
    report: tableOf(REPORT),
    objects: others
      .map((object) => `### \`${object.name}\`\n\n${object.doc}.\n\n${tableOf(object)}`)
      .join('\n'),
  }
}

function tableOf({ members }: AnyObject): string {
  const rows = Object.entries(members).map(
    ([name, member]) =>
      `| \`${name}\` | ${typeOf(member)}${member.isOptional === true ? ', or absent' : ''} | ${member.doc} |\n`,
  )
  return `| Member | Type | |\n|---|---|---|\n${rows.join('')}`
}

function typeOf({ type, words = [], value, of }: AnyMember): string {
  const link = (): string => `[${of?.().name}](#${of?.().name.toLowerCase()})`
  switch (type) {
    case 'string':
    case 'boolean':
      return type
    case 'word':
      return words.map((word) => `\`"${word}"\``).join(', ')
    case 'constant':
      return `\`${value}\``
    case 'count':
      return 'whole number'
    case 'seconds':
      return 'number, seconds'
    case 'strings':
      return 'strings'
    case 'list':
      return `list of ${link()}`
    case 'object':
      return link()
  }
}
