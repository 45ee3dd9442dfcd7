'use strict'

// In the words of the oldest Node that anybody may still have: of what it cannot parse it would show a stack, not a reason.

/** Whether this Node can run the commands; if not, standard error says what is needed. */
exports.isNew = function isNew(command) {
  const version = process.versions.node.split('.')
  const major = Number(version[0])
  if (major > 20 || (major === 20 && Number(version[1]) >= 20)) return true
  process.stderr.write(
    command +
      ': needs Node.js 20.20 or later, and this is ' +
      process.versions.node +
      ', ' +
      process.execPath +
      ' (install a later one, or put it first in PATH; sudo may have a PATH of its own)\n',
  )
  process.exitCode = 1
  return false
}
