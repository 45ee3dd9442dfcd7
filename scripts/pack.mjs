// Packs the packages into tarballs, for whoever installs what is not published, and writes what they are made of
// (an SBOM, as CycloneDX) beside them. Build first.
//   node scripts/pack.mjs [FOLDER]     default: tarballs/
import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = resolve(process.argv[2] ?? join(root, 'tarballs'))
const npm = (args, cwd) =>
  execFileSync('npm', args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    stdio: ['ignore', 'pipe', 'inherit'],
  })

if (!existsSync(join(root, 'packages/mon/dist/quark-mon.bundle.cjs'))) {
  console.error('Cannot pack: nothing is built (npm run build)')
  process.exit(1)
}
mkdirSync(folder, { recursive: true })
for (const name of ['ebpf', 'telemetry', 'mon']) {
  const place = join(root, 'packages', name)
  // Each tarball has them, but the repository has them once.
  const texts = ['LICENSE', 'NOTICE']
  try {
    for (const text of texts) copyFileSync(join(root, text), join(place, text))
    const [{ filename, size }] = JSON.parse(
      npm(['pack', '--json', '--ignore-scripts', '--pack-destination', folder], place),
    )
    console.log(`${join(folder, filename)} (${Math.round(size / 1024)} KiB)`)
  } finally {
    for (const text of texts) rmSync(join(place, text), { force: true })
  }
}
const sbom = join(folder, 'quark.cdx.json')
const parts = JSON.parse(npm(['sbom', '--sbom-format=cyclonedx', '--omit=dev'], root))
// npm names what is in the repository by its folders, and the whole by the folder that this clone is in.
for (const part of [parts.metadata.component, ...parts.components])
  part.name = part['bom-ref'].slice(0, part['bom-ref'].lastIndexOf('@'))
writeFileSync(sbom, `${JSON.stringify(parts, undefined, 2)}\n`)
console.log(sbom)
