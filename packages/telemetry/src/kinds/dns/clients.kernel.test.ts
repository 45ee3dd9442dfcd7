import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { hasCgroups } from '../../names/testing/limit.js'
import { Helper, runCommand, type Watched, watch } from './testing/watch.js'

const SERVER = fileURLToPath(new URL('testing/server.js', import.meta.url))
const RESOLVER = '127.5.3.10'
/** What the resolver answers. */
const WEB = '127.5.0.9'
const TIMEOUT_MS = 300_000

function limitOf(...commands: readonly string[]) {
  const lacking = [...commands, 'unshare'].filter(
    (name) => spawnSync('sh', ['-c', 'command -v "$0"', name]).status !== 0,
  )
  if (!hasCgroups) return { timeout: TIMEOUT_MS, skip: 'needs programs of cgroups that know their task' }
  return { timeout: TIMEOUT_MS, skip: lacking.length === 0 ? false : `not installed: ${lacking.join(', ')}` }
}

/** A folder with what programs read in place of the configuration of this machine. */
function folderFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'quark-clients-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, 'resolv.conf'), `nameserver ${RESOLVER}\noptions timeout:20 attempts:1\n`)
  return folder
}

function sh(folder: string, code: string): string {
  const { status, stdout, stderr } = spawnSync('sh', ['-ec', code], { cwd: folder, encoding: 'utf8' })
  assert.equal(status, 0, stderr)
  return stdout
}

/** What a server saw: the ports of those who connected, and what they asked for. */
interface Log {
  readonly port: number
  readonly clients: Set<number>
  readonly paths: string[]
}

/** A server of files, or of what a function answers. */
async function serve(
  t: TestContext,
  root: string,
  answer?: (request: IncomingMessage, response: ServerResponse, port: number) => boolean,
): Promise<Log> {
  const log = { port: 0, clients: new Set<number>(), paths: [] as string[] }
  const server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? '').replace(/\?.*/, ''))
    log.paths.push(path)
    if (answer?.(request, response, log.port) === true) return
    const file = join(root, path)
    const isFile = statSync(file, { throwIfNoEntry: false })?.isFile() === true
    if (isFile) response.end(readFileSync(file))
    else response.writeHead(404).end()
  })
  server.on('connection', ({ remotePort }) => log.clients.add(remotePort as number))
  server.listen(0, WEB)
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  log.port = (server.address() as { readonly port: number }).port
  return log
}

/** Runs a command that asks the resolver of the tests. */
async function watched(folder: string, code: string): Promise<Watched & { readonly text: string }> {
  await using _resolver = await Helper.start(process.execPath, [SERVER, RESOLVER, '53'])
  let text = ''
  const seen = await watch(async () => {
    const shell = `mount --bind ${folder}/resolv.conf /etc/resolv.conf && cd ${folder} && ${code}`
    const ran = await runCommand('unshare', ['-m', 'sh', '-ec', shell])
    ;({ text } = ran)
    assert.equal(ran.status, 0, text)
  })
  return { ...seen, text }
}

/** Each connection of the log of a server is there once, of a program, under the name that was asked for. */
function assertComplete({ connections, dns }: Watched, log: Log, name: string, program: RegExp): void {
  assert.ok(log.clients.size > 0 && log.paths.length > 0)
  const own = connections.filter((one) => one.remotePort === log.port && one.direction === 'outbound')
  const openings = own.filter(({ actions }) => actions.includes('connect'))
  assert.deepEqual(
    openings.map(({ localPort }) => localPort).sort(),
    [...log.clients].sort(),
    'connections, and the log of the server',
  )
  for (const { remoteName, remoteIp, process: { comm } = {} } of own) {
    assert.deepEqual([remoteName, remoteIp], [name, WEB])
    assert.match(comm ?? '', program)
  }
  assert.ok(dns.some((event) => event.name === name && event.serverIp === RESOLVER))
}

test('npm ci against a registry: who contacted it, as its own log has it', limitOf('npm'), async (t) => {
  const folder = folderFor(t)
  sh(folder, 'mkdir -p box project && echo "module.exports = 1" > box/index.js')
  writeFileSync(join(folder, 'box/package.json'), JSON.stringify({ name: 'quark-box', version: '1.0.0' }))
  const tarball = sh(join(folder, 'box'), 'npm pack --silent').trim()
  const bytes = readFileSync(join(folder, 'box', tarball))
  const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`
  const log = await serve(t, join(folder, 'box'), (request, response, port) => {
    if (request.url !== '/quark-box') return false
    const dist = { tarball: `http://registry.test:${port}/${tarball}`, integrity }
    const version = { name: 'quark-box', version: '1.0.0', dist }
    response.setHeader('content-type', 'application/json')
    response.end(
      JSON.stringify({ name: 'quark-box', 'dist-tags': { latest: '1.0.0' }, versions: { '1.0.0': version } }),
    )
    return true
  })
  const project = { name: 'project', version: '1.0.0', dependencies: { 'quark-box': '1.0.0' } }
  writeFileSync(join(folder, 'project/package.json'), JSON.stringify(project))
  const registry = `http://registry.test:${log.port}/`
  const lock = {
    ...project,
    lockfileVersion: 3,
    packages: {
      '': project,
      'node_modules/quark-box': { version: '1.0.0', resolved: `${registry}${tarball}`, integrity },
    },
  }
  writeFileSync(join(folder, 'project/package-lock.json'), JSON.stringify(lock))
  const flags = `--registry=${registry} --cache=${folder}/cache --userconfig=/dev/null --no-audit --no-fund`
  const seen = await watched(folder, `cd project && npm ci ${flags}`)
  assert.equal(
    readFileSync(join(folder, 'project/node_modules/quark-box/index.js'), 'latin1'),
    'module.exports = 1\n',
  )
  assertComplete(seen, log, 'registry.test', /^(npm|node)/)
})

test('git clone over http: who contacted the server, as its own log has it', limitOf('git'), async (t) => {
  const folder = folderFor(t)
  sh(
    folder,
    `git init -q work && cd work && echo text > file && git add file
     git -c user.name=n -c user.email=e@example.org commit -q -m one
     cd .. && git clone -q --bare work work.git && cd work.git && git update-server-info`,
  )
  const log = await serve(t, folder)
  const seen = await watched(folder, `git clone -q http://git.test:${log.port}/work.git copy`)
  assert.equal(readFileSync(join(folder, 'copy/file'), 'latin1'), 'text\n')
  assertComplete(seen, log, 'git.test', /^git-remote-http/)
})

test(
  'apt-get update against a mirror: who contacted it, as its own log has it',
  limitOf('apt-get'),
  async (t) => {
    const folder = folderFor(t)
    mkdirSync(join(folder, 'mirror'))
    writeFileSync(
      join(folder, 'mirror/Packages'),
      'Package: quark-box\nVersion: 1.0\nArchitecture: all\nMaintainer: n <e@example.org>\nFilename: ./box.deb\nSize: 1\nSHA256: 0\nDescription: box\n\n',
    )
    const log = await serve(t, join(folder, 'mirror'))
    writeFileSync(join(folder, 'sources.list'), `deb [trusted=yes] http://mirror.test:${log.port}/ ./\n`)
    sh(folder, 'mkdir -p lists/partial cache/archives/partial')
    const options = [
      `Dir::Etc::sourcelist=${folder}/sources.list`,
      'Dir::Etc::sourceparts=/dev/null',
      `Dir::State::lists=${folder}/lists`,
      `Dir::Cache=${folder}/cache`,
      'APT::Sandbox::User=root',
      'Acquire::http::Proxy=false',
      'APT::Update::Post-Invoke-Success::=true',
    ]
    const seen = await watched(folder, `apt-get ${options.map((option) => `-o ${option}`).join(' ')} update`)
    assert.ok(
      log.paths.some((path) => path.endsWith('Packages')),
      log.paths.join(),
    )
    assertComplete(seen, log, 'mirror.test', /^http$/)
  },
)
