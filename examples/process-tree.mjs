// Prints the tree of all processes and the ancestors of this one. Run as root.
import { Quark, sanitise } from 'quark-telemetry'

const quark = await Quark.open()

// The table is filled when the queue opens; from then on `poll`, or iterating, keeps it up to date.
const childrenOf = new Map()
for (const child of quark.processes()) {
  childrenOf.set(child.ppid, [...(childrenOf.get(child.ppid) ?? []), child])
}

function print({ pid, comm, argv }, depth) {
  console.log(`${'  '.repeat(depth)}${pid} ${sanitise(argv?.join(' ') ?? `[${comm}]`).slice(0, 80)}`)
  for (const child of childrenOf.get(pid) ?? []) print(child, depth + 1)
}
for (const top of quark.processes()) {
  if (top.ppid === undefined || quark.lookup(top.ppid) === undefined) print(top, 0)
}

const line = [quark.lookup(process.pid), ...quark.ancestors(process.pid)]
const names = line.map((each) => sanitise(`${each?.comm} (${each?.pid})`))
console.log(`\nThis process, its parent, and so on: ${names.join(' ← ')}`)
await quark.close()
