/** Secrets in the shapes in which they are met, none of them real. */

const HEX32 = '0123456789abcdef0123456789abcdef'
const ALNUM36 = '0123456789abcdefghijklmnopqrstuvwxyz'
const S = 'hunter2!'

/** Joined when they are used, so that no scanner takes this file for a leak. */
const joined = (...parts: string[]): string => parts.join('')

const tokens: readonly (readonly [what: string, token: string])[] = [
  ['AWS access key', joined('AK', 'IA', 'IOSFODNN7EXAMPL2')],
  ['GitHub', joined('gh', 'p_', ALNUM36)],
  ['GitHub, fine-grained', joined('github', '_pat_', ALNUM36, ALNUM36)],
  ['GitLab', joined('gl', 'pat-', '0123456789abcdefghij')],
  ['Slack', joined('xo', 'xb-', '123456789012-abcdefghijkl')],
  ['Google', joined('AI', 'za', '0123456789abcdefghijklmnopqrstuvwxy')],
  ['Stripe', joined('sk_', 'live_', '0123456789abcdefghijklmn')],
  ['npm', joined('np', 'm_', ALNUM36)],
  ['PyPI', joined('py', 'pi-', 'AgEIcHlwaS5vcmc', ALNUM36)],
  ['OpenAI', joined('sk', '-proj-', ALNUM36, ALNUM36)],
  ['Anthropic', joined('sk', '-ant-', 'api03-', ALNUM36)],
  ['SendGrid', joined('S', 'G.', '0123456789abcdefghijkl', '.', ALNUM36)],
  ['DigitalOcean', joined('dop', '_v1_', HEX32, HEX32)],
  ['Vault', joined('hv', 's.', ALNUM36)],
  ['Shopify', joined('shp', 'at_', HEX32)],
  ['Docker Hub', joined('dckr', '_pat_', ALNUM36)],
  ['Hugging Face', joined('h', 'f_', ALNUM36)],
  ['Databricks', joined('da', 'pi', HEX32)],
  ['JWT', joined('ey', 'JhbGciOiJIUzI1NiJ9', '.ey', 'JzdWIiOiIxMjM0NTY3ODkw', '.', ALNUM36)],
  ['age', joined('AGE-', 'SECRET-KEY-1', 'QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7LQPZRY9X8GF2TVDW0S3JN54KHCE')],
]

/** Argument lists with a secret. */
export const secretArguments: readonly { what: string; argv: readonly string[]; secret: string }[] = [
  ...tokens.map(([what, secret]) => ({ what: `token of ${what}`, argv: ['deploy', 'now', secret], secret })),
  ...Object.entries<[readonly string[], string?]>({
    '--password X': [['tool', '--password', S, 'more']],
    '--password=X': [['tool', `--password=${S}`]],
    '--password=X with delimiters': [['tool', '--db-password=a,b&c d'], 'a,b&c d'],
    '-password X': [['keytool', '-storepass', S, '-alias', 'a']],
    'camel case': [['tool', '--clientSecret', S]],
    'mysql -pX': [['mysql', '-u', 'root', `-p${S}`, 'shop']],
    'mysqldump by its path, behind sudo': [['sudo', '/usr/bin/mysqldump', `-p${S}`]],
    'sshpass -p X': [['sshpass', '-p', S, 'ssh', 'ann@example.org']],
    'curl -u': [['curl', '-u', `ann:${S}`, 'https://example.org']],
    'curl -uX': [['curl', `-uann:${S}`, 'https://example.org']],
    'curl, a header': [['curl', '-H', `Authorization: Bearer ${S}`, 'https://example.org']],
    'curl, a header of its own': [['curl', '-H', `X-Api-Key: ${S}`, 'https://example.org']],
    'a header, split over arguments': [['tool', 'Authorization:', 'Bearer', S]],
    'curl, JSON': [['curl', '-d', `{"user":"ann","password":"${S}"}`, 'https://example.org']],
    'curl, a form': [['curl', '-d', `user=ann&password=${S}&x=1`, 'https://example.org']],
    'redis-cli -a X': [['redis-cli', '-a', S, 'ping']],
    'docker login': [['docker', 'login', '-u', 'ann', '-p', S, 'registry.example.org']],
    'credentials in a URL': [['git', 'clone', `https://ann:${S}@example.org/x.git`]],
    'a token in a URL': [['git', 'clone', `https://${HEX32}@example.org/x.git`], HEX32],
    'the query of a URL': [['wget', `https://example.org/x?a=1&access_token=${HEX32}&b=2`], HEX32],
    'a connection string': [['app', `Server=db;User=sa;Password=${S};Encrypt=yes`]],
    'an Azure storage key': [
      ['az', 'storage', `AccountName=a;AccountKey=${HEX32}==;EndpointSuffix=x`],
      HEX32,
    ],
    'a Slack webhook': [['curl', 'https://hooks.slack.com/services/T0/B0/abcdefgh'], 'T0/B0/abcdefgh'],
    smbclient: [['smbclient', '-U', `ann%${S}`, '//host/share']],
    ldapsearch: [['ldapsearch', '-x', '-w', S]],
    '7z': [['7z', 'a', `-p${S}`, 'x.7z']],
    openssl: [['openssl', 'rsa', '-passin', `pass:${S}`]],
    'npm config set': [['npm', 'config', 'set', '//registry.npmjs.org/:_authToken', S]],
    'npm, an option': [['npm', 'publish', `--//registry.npmjs.org/:_authToken=${S}`]],
    'aws configure set': [['aws', 'configure', 'set', 'aws_secret_access_key', S]],
    'a shell script': [['sh', '-c', `cd /x && mysql -p${S} shop | cat`]],
    'a shell script with quotes': [['bash', '-lc', `tool --password '${S} x' --verbose`], `${S} x`],
    'a variable before a command': [['env', `PGPASSWORD=${S}`, 'psql']],
    'a variable in a script': [['sh', '-c', `API_TOKEN=${S} ./deploy`]],
    'mount options': [['mount', '-o', `username=ann,password=${S},vers=3`, '//h/s', '/mnt']],
    'a private key': [
      ['tool', `-----BEGIN PRIVATE KEY-----\nMIIB${HEX32}\n-----END PRIVATE KEY-----`],
      HEX32,
    ],
    'kubectl create secret': [
      ['kubectl', 'create', 'secret', 'generic', 'x', `--from-literal=password=${S}`],
    ],
    ansible: [['ansible-playbook', '-e', `db_password=${S} other=1`]],
    'ssh with a command': [['ssh', 'host', `mysql -p${S} shop`]],
    nmcli: [['nmcli', 'dev', 'wifi', 'connect', 'home', 'password', S]],
    'htpasswd -b': [['htpasswd', '-b', 'file', 'ann', S]],
    wpa_passphrase: [['wpa_passphrase', 'home', S]],
  }).map(([what, [argv, secret = S]]) => ({ what, argv, secret })),
]

/** `NAME=value` strings with a secret. */
export const secretVariables: readonly { what: string; variable: string; secret: string }[] = [
  ['a token by its name', 'GITHUB_TOKEN=', S],
  ['a password', 'DB_PASSWORD=', S],
  ['MYSQL_PWD', 'MYSQL_PWD=', S],
  ['a key', 'STRIPE_SECRET_KEY=', S],
  ['AWS', 'AWS_SECRET_ACCESS_KEY=', S],
  ['npm', 'npm_config__auth=', S],
  ['npm, of a registry', 'npm_config_//registry.npmjs.org/:_authToken=', S],
  ['a token by its shape', 'X=', (tokens[1] as [string, string])[1]],
].map(([what, name, secret]) => ({ what, variable: `${name}${secret}`, secret })) as {
  what: string
  variable: string
  secret: string
}[]

/** Texts, as terminals show them, with a secret. */
export const secretTexts: readonly { what: string; text: string; secret: string }[] = [
  ...tokens.map(([what, secret]) => ({ what, text: `Your token is ${secret}.\r\nKeep it.`, secret })),
  { what: 'a line of a configuration', text: `user=ann\npassword=${S}\nport=1`, secret: S },
  { what: 'JSON', text: `{ "apiKey": "${S}" }`, secret: S },
  { what: 'a URL', text: `Cloning https://ann:${S}@example.org/x …`, secret: S },
  { what: 'a variable', text: `export AWS_SECRET_ACCESS_KEY="${S}"`, secret: S },
  {
    what: 'a private key',
    text: `$ cat id\n-----BEGIN RSA PRIVATE KEY-----\n${HEX32}\n-----END RSA PRIVATE KEY-----`,
    secret: HEX32,
  },
]
