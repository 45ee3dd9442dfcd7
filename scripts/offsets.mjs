// Makes an entry of the table of known offsets, for kernels that carry no BTF. See docs/offsets.md.
//   node scripts/offsets.mjs FILE NAME [RELEASE] [--add]
// FILE is raw BTF, a vmlinux with BTF, or a bootable kernel image, which also has its RELEASE. NAME says who built
// the kernel. With --add the entry goes into the table of the package, in place of one for the same kernel.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { Btf, makeOffsetEntry, offsetTableText, parseOffsetTable } from 'quark-ebpf/btf'
import { readImage } from './offsets/image.mjs'

const TABLE = new URL('../packages/telemetry/data/offsets.json', import.meta.url)

const { values, positionals } = parseArgs({ allowPositionals: true, options: { add: { type: 'boolean' } } })
const [file, name, givenRelease] = positionals
if (file === undefined || name === undefined || positionals.length > 3) {
  console.error('Usage: node scripts/offsets.mjs FILE NAME [RELEASE] [--add]')
  process.exit(1)
}

const image = readImage(readFileSync(file))
const release = givenRelease ?? image.release
if (release === undefined) {
  console.error(`Cannot find out which kernel ${file} describes: give its RELEASE, as uname -r prints it`)
  process.exit(1)
}
const entry = makeOffsetEntry(Btf.parse(image.btf, file), { name, release })

if (values.add === true) {
  const others = readTable().filter(
    ({ release, architecture }) => release !== entry.release || architecture !== entry.architecture,
  )
  const kernels = [...others, entry].sort(byRelease)
  mkdirSync(new URL('.', TABLE), { recursive: true })
  writeFileSync(TABLE, offsetTableText({ format: 1, kernels }))
  console.log(`${entry.name} ${entry.release} (${entry.architecture}) is one of ${kernels.length} kernels`)
} else {
  process.stdout.write(offsetTableText({ format: 1, kernels: [entry] }))
}

function readTable() {
  try {
    return parseOffsetTable(readFileSync(TABLE, 'utf8'), 'offsets.json').kernels
  } catch (error) {
    if (error.code === 'ENOENT') return []
    throw error
  }
}

function byRelease(a, b) {
  const order = new Intl.Collator('en', { numeric: true }).compare
  return order(a.release, b.release) || order(a.architecture, b.architecture)
}
