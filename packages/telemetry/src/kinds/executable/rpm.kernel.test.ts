import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

const SPEC = `Name: quark-tried
Version: 1.2
Release: 3
Summary: A package with one file
License: none
BuildArch: noarch
%description
A package with one file.
%install
mkdir -p %{buildroot}/opt/quark-tried
echo tool >%{buildroot}/opt/quark-tried/tool
%files
/opt/quark-tried/tool
`
const MODULE = new URL('packages.js', import.meta.url).href
const SCRIPT = `
const { Packages } = await import('${MODULE}')
const packages = new Packages()
console.log(JSON.stringify([packages.ownerOf('', '/opt/quark-tried/tool'), packages.ownerOf('', '/opt/quark-tried/other')]))
`

/** Why this cannot run here; false if it can. */
function whyNot(): string | false {
  if (process.getuid?.() !== 0) return 'needs root, for a database of its own'
  const absent = ['rpm', 'rpmbuild', 'unshare'].filter(
    (program) => spawnSync(program, ['--version']).error !== undefined,
  )
  return absent.length === 0 ? false : `not installed: ${absent.join(', ')}`
}

test('a file of a package of rpm has its name, version and architecture', { skip: whyNot() }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'quark-rpm-'))
  t.after(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'tried.spec'), SPEC)
  // Debian's rpm has its database in the home directory, unlike systems that are made of such packages.
  writeFileSync(join(folder, '.rpmmacros'), '%_dbpath /var/lib/rpm\n')
  mkdirSync(join(folder, 'opt/quark-tried'), { recursive: true })
  writeFileSync(join(folder, 'opt/quark-tried/tool'), 'tool\n')
  writeFileSync(join(folder, 'opt/quark-tried/other'), 'other\n')
  writeFileSync(join(folder, 'asks.mjs'), SCRIPT)
  const lines = [
    'mkdir -p /var/lib/rpm && mount -t tmpfs tried /var/lib/rpm && mount --bind "$HOME/opt" /opt',
    'rpmbuild --quiet -bb --define "_topdir $HOME/build" "$HOME/tried.spec" >&2',
    'rpm --initdb && rpm -i --nodeps --justdb "$HOME"/build/RPMS/noarch/*.rpm >&2',
    `exec '${process.execPath}' "$HOME/asks.mjs"`,
  ]
  const { status, stdout, stderr } = spawnSync('unshare', ['-m', 'sh', '-ec', lines.join('\n')], {
    encoding: 'utf8',
    env: { ...process.env, HOME: folder },
  })
  assert.equal(status, 0, stderr)
  assert.deepEqual(JSON.parse(stdout), [
    { type: 'rpm', name: 'quark-tried', version: '1.2-3', architecture: 'noarch' },
    null,
  ])
})
