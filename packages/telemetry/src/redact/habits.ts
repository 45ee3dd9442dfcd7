/** How well-known programs are given secrets, where the name of the option does not say it. */

/** What of the value is the secret. */
export type SecretPart = 'all' | 'afterColon' | 'afterPercent' | 'afterComma'

/** The habits of a program. */
export interface Habits {
  /** Options whose value is the next argument, or follows them in the same one. */
  readonly next?: Readonly<Record<string, SecretPart>>
  /** Options whose value only follows them in the same argument: alone they mean something else. */
  readonly glued?: Readonly<Record<string, SecretPart>>
  /** No value follows an option in the same argument: one dash begins long names, too. */
  readonly isNeverGlued?: boolean
  /** Only with one of these words before. */
  readonly with?: readonly string[]
  /** A bare word with the name of a secret is followed by it: `config set //registry/:_authToken X`. */
  readonly named?: boolean
  /** The argument at that place behind one of these words is a secret: `wpa_passphrase SSID SECRET`. */
  readonly places?: Readonly<Record<string, number>>
}

const mysql: Habits = { glued: { '-p': 'all' } }
const ldap: Habits = { next: { '-w': 'all' } }
const archive: Habits = { glued: { '-p': 'all', '-hp': 'all' } }
const snmp: Habits = { next: { '-A': 'all', '-X': 'all', '-c': 'all' } }
const mongo: Habits = { next: { '-p': 'all' } }
const registry: Habits = { next: { '-p': 'all' }, with: ['login'] }

/** By the name of the program's file. */
export const HABITS: ReadonlyMap<string, Habits> = new Map(
  Object.entries<Habits>({
    mysql,
    mysqladmin: mysql,
    mysqldump: mysql,
    mysqlimport: mysql,
    mysqlcheck: mysql,
    mysqlshow: mysql,
    mysqlsh: mysql,
    mariadb: mysql,
    'mariadb-admin': mysql,
    'mariadb-dump': mysql,
    xtrabackup: mysql,
    mydumper: { next: { '-p': 'all' } },
    sshpass: { next: { '-p': 'all' } },
    curl: { next: { '-u': 'afterColon', '--user': 'afterColon', '-U': 'afterColon', '--proxy-user': 'afterColon', '--oauth2-bearer': 'all', '-b': 'all', '--cookie': 'all' } }, // prettier-ignore
    http: { next: { '-a': 'afterColon', '--auth': 'afterColon' } },
    https: { next: { '-a': 'afterColon', '--auth': 'afterColon' } },
    'redis-cli': { next: { '-a': 'all' } },
    docker: registry,
    podman: registry,
    nerdctl: registry,
    buildah: registry,
    skopeo: { ...registry, next: { '-p': 'all', '--creds': 'afterColon', '--src-creds': 'afterColon', '--dest-creds': 'afterColon' } }, // prettier-ignore
    helm: registry,
    oc: registry,
    az: registry,
    smbclient: { next: { '-U': 'afterPercent', '--user': 'afterPercent' } },
    rpcclient: { next: { '-U': 'afterPercent', '--user': 'afterPercent' } },
    ldapsearch: ldap,
    ldapadd: ldap,
    ldapmodify: ldap,
    ldapdelete: ldap,
    ldapwhoami: ldap,
    ldappasswd: { next: { '-w': 'all', '-s': 'all', '-a': 'all' } },
    zip: { next: { '-P': 'all' } },
    unzip: { next: { '-P': 'all' } },
    '7z': archive,
    '7za': archive,
    '7zr': archive,
    rar: archive,
    unrar: archive,
    ipmitool: { next: { '-P': 'all' } },
    sqlcmd: { next: { '-P': 'all' } },
    bcp: { next: { '-P': 'all' } },
    tsql: { next: { '-P': 'all' } },
    mongo,
    mongosh: mongo,
    mongodump: mongo,
    mongorestore: mongo,
    mongoexport: mongo,
    mongoimport: mongo,
    rdesktop: { next: { '-p': 'all' } },
    xfreerdp: { glued: { '/p:': 'all' } },
    snmpget: snmp,
    snmpwalk: snmp,
    snmpbulkwalk: snmp,
    snmpset: snmp,
    lftp: { next: { '-u': 'afterComma' } },
    openssl: { next: { '-k': 'all', '-K': 'all' }, isNeverGlued: true },
    useradd: { next: { '-p': 'all' } },
    usermod: { next: { '-p': 'all' } },
    vault: { places: { login: 1 } },
    wpa_passphrase: { places: { '': 2 } },
    htpasswd: { places: { '-b': 3, '-bc': 3, '-cb': 3, '-nb': 2, '-bn': 2, '-nbB': 2, '-bB': 3 } },
    nmcli: { named: true },
    npm: { named: true },
    pnpm: { named: true },
    yarn: { named: true },
    aws: { named: true },
    git: { named: true, with: ['config'] },
    heroku: { named: true },
    'redis-server': { named: true },
  }),
)

/** Names of programs for a first look at a text: of the others, the words that they need say enough. */
export const PROGRAMS: readonly string[] = [...HABITS]
  .filter(([, { named, with: words }]) => named !== true && words === undefined)
  .map(([name]) => name)

/** Programs whose arguments are commands of a shell, although no `-c` stands before them. */
export const RUN_SCRIPTS: ReadonlySet<string> = new Set([
  'ssh',
  'watch',
  'tmux',
  'screen',
  'parallel',
  'eval',
])
