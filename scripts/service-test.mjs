// Boots a small Debian with a real systemd in a container (systemd-nspawn), installs the tarball, the unit and the
// logrotate file there, and checks that the service runs with its restrictions, rotates, restarts and ends.
// Needs root, systemd-container, debootstrap and some minutes: it is not part of `npm test`.
//   node scripts/service-test.mjs
import { execFileSync, spawnSync } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { whyNot } from './needs.mjs'

const clone = fileURLToPath(new URL('..', import.meta.url))
const mon = join(clone, 'packages/mon')
const reason = whyNot([
  ['systemd-nspawn', 'systemd-container'],
  ['debootstrap', 'debootstrap'],
])
if (reason !== undefined) {
  console.log(`- not run: the service under a real systemd (${reason})`)
  process.exit(0)
}

/** What runs in the guest, after the service began; each line of its output is a result. */
const SCRIPT = `#!/bin/sh
say() { echo "$1 $2"; }
mark() { for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do /bin/true "$1"; sleep 0.5; grep -qs "\\"$1\\"" "$2" && return 0; done; return 1; }
log=/var/log/quark/events.ndjson
systemctl is-active quark-mon.service >/dev/null && say ok active || say failed "active: $(systemctl status quark-mon.service 2>&1 | tail -20)"
mark service-one $log && say ok watches || say failed "watches: $(journalctl -u quark-mon.service --no-pager | tail -20)"
pid=$(systemctl show -p MainPID --value quark-mon.service)
[ "$(awk '/^Uid/ { print $2 }' /proc/$pid/status)" -gt 60000 ] && say ok user || say failed user
[ "$(awk '/^CapBnd/ { print $2 }' /proc/$pid/status)" = 000000c000081000 ] && say ok capabilities || say failed "capabilities: $(grep Cap /proc/$pid/status)"
[ "$(awk '/^Seccomp:/ { print $2 }' /proc/$pid/status)" = 2 ] && say ok seccomp || say failed seccomp
node -e 'require("http").get({socketPath:"/run/quark/metrics.sock",path:"/metrics"},(r)=>r.pipe(process.stdout))' | grep -q '^quark_info{.*ebpf' && say ok metrics || say failed metrics
logrotate --force /etc/logrotate.d/quark-mon && mark service-two $log && grep -q service-one $log.1 && ! grep -q service-two $log.1 && say ok logrotate || say failed "logrotate: $(ls -la /var/log/quark/)"
kill -9 $pid; sleep 8
[ "$(systemctl show -p NRestarts --value quark-mon.service)" = 1 ] && mark service-three $log && say ok restart || say failed "restart: $(systemctl status quark-mon.service 2>&1 | tail -20)"
systemctl stop quark-mon.service; [ "$(systemctl show -p Result --value quark-mon.service)" = success ] && say ok stop || say failed stop
systemd-analyze verify quark-mon.service 2>&1 | grep -v man | grep quark && say failed verify || say ok verify
say security "$(systemd-analyze security --no-pager quark-mon.service | tail -1)"
say done now
`
const WANTED = [
  'active',
  'watches',
  'user',
  'capabilities',
  'seccomp',
  'metrics',
  'logrotate',
  'restart',
  'stop',
  'verify',
]

const base = join(clone, '.cache/service-root')
if (!existsSync(join(base, 'usr/sbin/logrotate'))) {
  console.log('making a small Debian in .cache/service-root, once')
  rmSync(base, { recursive: true, force: true })
  mkdirSync(base, { recursive: true })
  const include = '--include=systemd,systemd-sysv,dbus,libstdc++6,logrotate'
  execFileSync('debootstrap', ['--variant=minbase', include, 'bookworm', base], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}
const folder = mkdtempSync(join(tmpdir(), 'quark-service-'))
const root = join(folder, 'root')
let failed = 0
try {
  execFileSync('cp', ['-a', base, root])
  execFileSync(process.execPath, [join(clone, 'scripts/pack.mjs'), folder], { stdio: 'ignore' })
  const tarball = readdirSync(folder).find((name) => name.startsWith('quark-mon-'))
  const install = ['install', '--global', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline']
  execFileSync('npm', [...install, '--prefix', join(root, 'usr/local'), join(folder, tarball)], {
    stdio: 'ignore',
  })
  copyFileSync(process.execPath, join(root, 'usr/bin/node'))

  const units = join(root, 'etc/systemd/system')
  cpSync(join(mon, 'systemd/quark-mon.service'), join(units, 'quark-mon.service'))
  cpSync(join(mon, 'logrotate/quark-mon'), join(root, 'etc/logrotate.d/quark-mon'))
  writeFileSync(
    join(root, 'etc/default/quark-mon'),
    'QUARK_OPTIONS="--hold=50 --metrics=/run/quark/metrics.sock"\n',
  )
  writeFileSync(join(root, 'check.sh'), SCRIPT, { mode: 0o755 })
  writeFileSync(
    join(units, 'check.service'),
    '[Unit]\nAfter=quark-mon.service\n[Service]\nType=oneshot\nExecStart=/bin/sh -c "/check.sh >/result 2>&1; systemctl --no-block poweroff"\n',
  )
  mkdirSync(join(units, 'multi-user.target.wants'), { recursive: true })
  for (const unit of ['quark-mon.service', 'check.service'])
    symlinkSync(`/etc/systemd/system/${unit}`, join(units, 'multi-user.target.wants', unit))

  const boot = spawnSync(
    'systemd-nspawn',
    // A container has neither these rights nor these calls by itself.
    [
      '-q',
      '-D',
      root,
      '--register=no',
      '--keep-unit',
      '--capability=all',
      '--system-call-filter=bpf perf_event_open',
      '-b',
    ],
    { encoding: 'utf8', timeout: 180_000, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const result = join(root, 'result')
  const lines = existsSync(result) ? readFileSync(result, 'utf8').split('\n') : []
  for (const name of WANTED) {
    const isOk = lines.includes(`ok ${name}`)
    if (!isOk) failed += 1
    console.log(`${isOk ? '✔' : '✖'} the service under systemd: ${name}`)
  }
  console.log(lines.find((line) => line.startsWith('security ')) ?? '')
  if (failed > 0) console.log(lines.join('\n'), `\n${boot.stdout.slice(-4000)}${boot.stderr}`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
process.exitCode = failed === 0 ? 0 : 1
