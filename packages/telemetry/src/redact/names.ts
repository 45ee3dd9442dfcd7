/** Which names say that their value is a secret. */

/** The last word of such a name. */
const LAST = new Set([
  'auth', 'authtoken', 'apikey', 'accesskey', 'accesstoken', 'apisecret', 'apitoken', 'authkey', 'bearer', 'clientsecret',
  'credential', 'credentials', 'encryptionkey', 'jwt', 'keypass', 'masterkey', 'pass', 'passcode', 'passin', 'passout', 'passphrase', 'passwd', 'password',
  'privatekey', 'privatetoken', 'pw', 'pwd', 'refreshtoken', 'secret', 'secretkey', 'sharedkey', 'signingkey', 'storepass', 'token',
  'userpass', 'webhooksecret',
]) // prettier-ignore
/** The last word may end with these: `PGPASSWORD`. */
const ENDS = ['password', 'passwd', 'passphrase', 'secret', 'token', 'apikey', 'secretkey', 'accesskey']
/** The word before a last word `key`. */
const KEYS = new Set([
  'access', 'account', 'api', 'auth', 'client', 'encryption', 'hmac', 'license', 'master', 'private', 'secret', 'shared',
  'signing', 'storage', 'subscription',
]) // prettier-ignore
/** Of these, only in longer names: alone they are ordinary options or say how to log in. */
const ONLY_BEHIND_OTHERS = new Set(['auth', 'pw'])
/** Words before `pass` and the like that make it a question, a switch or something else. */
const SWITCHES = new Set([
  'allow', 'ask', 'by', 'disable', 'disabled', 'enable', 'enabled', 'has', 'max', 'min', 'multi', 'no', 'one', 'prompt', 'require', 'single', 'skip', 'two',
  'use', 'with', 'without',
]) // prettier-ignore
/** Ordinary names that look like such. */
const EXCEPTIONS = new Set(['pwd', 'oldpwd', 'initpwd', 'ssh_auth', 'npm_config_auth_type'])
const MAX_NAME_CHARS = 128
/** A part of each of these words: most names have none, and are not looked at any further. */
const FIRST_LOOK = /auth|bearer|cred|jwt|key|pass|pw|secret|token/i

const SECRET_HEADERS = new Set(['authorization', 'proxy-authorization', 'cookie', 'set-cookie'])

/** Whether the value of an option or a variable with that name is a secret: `--db-password`, `GITHUB_TOKEN`, `clientSecret`. */
export function isSecretName(name: string): boolean {
  if (name.length > MAX_NAME_CHARS || !FIRST_LOOK.test(name)) return false
  const words = name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '')
  const last = words.at(-1)
  if (last === undefined || EXCEPTIONS.has(words.join('_'))) return false
  const before = words.at(-2)
  if (before !== undefined && SWITCHES.has(before)) return false
  if (last === 'key') return before !== undefined && KEYS.has(before)
  if (ONLY_BEHIND_OTHERS.has(last)) return before !== undefined || name.startsWith('_')
  return LAST.has(last) || endsWithSecret(last)
}

function endsWithSecret(word: string): boolean {
  const end = ENDS.find((name) => word.endsWith(name))
  return end !== undefined && !SWITCHES.has(word.slice(0, -end.length))
}

/** Whether a header of HTTP with that name has a secret. */
export function isSecretHeader(name: string): boolean {
  return SECRET_HEADERS.has(name.toLowerCase()) || (name.includes('-') && isSecretName(name))
}

const NO_SECRETS = new Set([
  '', '-', '0', '1', 'false', 'no', 'none', 'null', 'off', 'on', 'prompt', 'true', 'undefined', 'yes',
]) // prettier-ignore
/** What stands for a secret that is elsewhere: a variable of a shell or a template, a file, a masked one. */
const ELSEWHERE =
  /^(?:["']?\$(?:$|\{?\w+\}?["']?$|\()|\$\{\{|\{\{|<[\w -]*>$|%\w+%$|@|file:|env:|id=|[*x\u2022]+$|[^\w\s]$|\[REDACTED)/i

/** Whether that cannot be a secret itself. */
export function isNoSecret(value: string): boolean {
  return NO_SECRETS.has(value.toLowerCase()) || ELSEWHERE.test(value)
}
