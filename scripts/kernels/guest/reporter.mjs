/** Reports tests so that the host can count them, and a person can read them. */
export default async function* reporter(source) {
  const file = process.env.KERNEL_TEST_FILE
  for await (const { type, data } of source) {
    if (type === 'test:diagnostic' && data.nesting > 0) yield `    ${data.message}\n`
    if (type !== 'test:pass' && type !== 'test:fail') continue
    if (data.details?.type === 'suite') continue
    const name = `${file}: ${data.name.replaceAll('\n', ' ')}`
    if (data.skip !== undefined) yield `@@skip ${name} (${data.skip})\n`
    else if (type === 'test:pass') yield `@@pass ${name} (${Math.round(data.details.duration_ms)} ms)\n`
    else if (data.details.error?.failureType !== 'subtestsFailed')
      yield `@@fail ${name}\n${explain(data.details.error)}`
  }
}

function explain(error) {
  const cause = error?.cause ?? error
  const log = cause?.log === undefined ? '' : `\n${cause.log.slice(-60).join('\n')}`
  const text = `${cause?.stack ?? cause}${log}${causes(cause?.cause)}`
  return `${text
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n')}\n`
}

function causes(error) {
  if (error === undefined) return ''
  const log = error.log === undefined ? '' : `\n${error.log.slice(-60).join('\n')}`
  return `\ncaused by: ${error.stack ?? error}${log}${causes(error.cause)}`
}
