/**
 * Shapes of tokens that say what they are by how they begin. Each shape is tried once at the begin of a word, so the time
 * grows with the length of the text and no more.
 */

interface TokenShape {
  /** What it begins with. */
  readonly prefix: string
  /** The whole word; sticky by being anchored. */
  readonly word: RegExp
}

function shape(prefix: string, rest: string): TokenShape {
  return { prefix, word: new RegExp(`^${prefix.replaceAll('.', '\\.')}${rest}$`) }
}

/** Prefixes and what follows, as the services that make them document it. */
const SHAPES: readonly TokenShape[] = [
  ...['AKIA', 'ASIA', 'ABIA', 'ACCA'].map((prefix) => shape(prefix, '[A-Z0-9]{16}')),
  ...['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_'].map((prefix) => shape(prefix, '[A-Za-z0-9]{30,255}')),
  shape('github_pat_', '[A-Za-z0-9_]{40,255}'),
  ...['glpat-', 'gldt-', 'glrt-', 'glcbt-', 'glptt-', 'glsoat-'].map((prefix) =>
    shape(prefix, '[A-Za-z0-9_.-]{20,}'),
  ),
  ...['xoxb-', 'xoxp-', 'xoxa-', 'xoxr-', 'xoxs-', 'xoxe-', 'xapp-'].map((prefix) =>
    shape(prefix, '[A-Za-z0-9.-]{10,}'),
  ),
  shape('AIza', '[A-Za-z0-9_-]{35}'),
  shape('ya29.', '[A-Za-z0-9_-]{20,}'),
  shape('GOCSPX-', '[A-Za-z0-9_-]{20,}'),
  ...['sk_live_', 'sk_test_', 'rk_live_', 'rk_test_', 'whsec_'].map((prefix) =>
    shape(prefix, '[A-Za-z0-9]{10,}'),
  ),
  shape('npm_', '[A-Za-z0-9]{36}'),
  shape('pypi-', '[A-Za-z0-9_-]{50,}'),
  shape('rubygems_', '[a-f0-9]{48}'),
  shape('cio', '[A-Za-z0-9]{32}'),
  shape('oy2', '[a-z0-9]{43}'),
  shape('sk-ant-', '[A-Za-z0-9_-]{20,}'),
  shape('sk-', '(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{32,}'),
  shape('hf_', '[A-Za-z0-9]{30,}'),
  shape('r8_', '[A-Za-z0-9]{37}'),
  shape('SG.', '[A-Za-z0-9_-]{16,32}\\.[A-Za-z0-9_-]{16,64}'),
  shape('key-', '[a-f0-9]{32}'),
  shape('SK', '[a-f0-9]{32}'),
  ...['dop_v1_', 'doo_v1_', 'dor_v1_'].map((prefix) => shape(prefix, '[a-f0-9]{64}')),
  shape('HRKU-', '[A-Za-z0-9_-]{36,}'),
  ...['hvs.', 'hvb.', 'hvr.'].map((prefix) => shape(prefix, '[A-Za-z0-9_-]{20,}')),
  ...['shpat_', 'shpca_', 'shppa_', 'shpss_'].map((prefix) => shape(prefix, '[a-fA-F0-9]{32}')),
  shape('sq0atp-', '[A-Za-z0-9_-]{22}'),
  shape('sq0csp-', '[A-Za-z0-9_-]{43}'),
  shape('EAAA', '[A-Za-z0-9_-]{60}'),
  shape('ATATT3', '[A-Za-z0-9_=-]{100,}'),
  shape('ATCTT3', '[A-Za-z0-9_=-]{100,}'),
  shape('lin_api_', '[A-Za-z0-9]{40}'),
  shape('ntn_', '[A-Za-z0-9]{40,}'),
  shape('dckr_pat_', '[A-Za-z0-9_-]{20,}'),
  shape('dapi', '[a-f0-9]{32}'),
  shape('dp.pt.', '[A-Za-z0-9]{40,}'),
  shape('dp.st.', '[A-Za-z0-9_.]{40,}'),
  shape('AGE-SECRET-KEY-1', '[A-Z0-9]{58}'),
  shape('sntrys_', '[A-Za-z0-9_]{40,}'),
  shape('glsa_', '[A-Za-z0-9_]{32,}'),
  shape('NRAK-', '[A-Z0-9]{27}'),
  shape('pul-', '[a-f0-9]{40}'),
  shape('sbp_', '[a-f0-9]{40}'),
  shape('PMAK-', '[A-Za-z0-9-]{59}'),
  shape('tskey-', '[A-Za-z0-9-]{20,}'),
  shape('figd_', '[A-Za-z0-9_-]{40,}'),
  shape('eyJ', '[A-Za-z0-9_-]{8,}\\.eyJ[A-Za-z0-9_-]{8,}\\.[A-Za-z0-9_-]*'),
]

/** Shapes by the code of their first character: most characters begin none. */
const BY_FIRST: (readonly TokenShape[] | undefined)[] = []
for (const token of SHAPES) {
  const first = token.prefix.charCodeAt(0)
  BY_FIRST[first] = [...(BY_FIRST[first] ?? []), token]
}

/** No token is longer; a longer word is none. */
const MAX_TOKEN_CHARS = 8192

/** Whether a word is a token. */
export function isToken(word: string): boolean {
  const shapes = BY_FIRST[word.charCodeAt(0)]
  if (shapes === undefined || word.length > MAX_TOKEN_CHARS) return false
  for (const { prefix, word: whole } of shapes) {
    if (word.startsWith(prefix) && whole.test(word)) return true
  }
  return false
}

/** Parts of URLs behind which a secret stands, up to the end of the path. */
export const SECRET_PATHS: readonly string[] = [
  'hooks.slack.com/services/',
  'hooks.slack.com/workflows/',
  'discord.com/api/webhooks/',
  'discordapp.com/api/webhooks/',
  'api.telegram.org/bot',
  '.webhook.office.com/webhookb2/',
  'outlook.office.com/webhook/',
  'chat.googleapis.com/v1/spaces/',
  'oapi.dingtalk.com/robot/',
]

/** What begins tokens, for a first look at a text. */
export const TOKEN_PREFIXES: readonly string[] = SHAPES.map(({ prefix }) => prefix)
