import type { Process } from './process.js'

/** The lines of a process in a graph. */
export function processLines(p: Process): string[] {
  const lines = [`pid ${p.pid}`, p.exe ?? p.comm ?? '<unknown>']
  add(lines, 'comm', p.comm)
  add(lines, 'cwd', p.cwd)
  add(lines, 'cap_permitted', p.capPermitted && `0x${p.capPermitted.toString(16)}`)
  add(lines, 'cap_effective', p.capEffective && `0x${p.capEffective.toString(16)}`)
  add(lines, 'time_boot', p.startTimeNs)
  for (const id of ['uid', 'gid', 'euid', 'egid', 'suid', 'sgid', 'pgid', 'sid'] as const)
    add(lines, id, p[id])
  if (p.ttyMajor !== undefined && p.ttyMajor !== 0) lines.push(`tty ${p.ttyMajor}:${p.ttyMinor ?? '?'}`)
  add(lines, 'exit_code', p.exitCode)
  add(lines, 'signal', p.exitSignal)
  add(lines, 'exit_time', p.exitTimeNs)
  return lines
}

function add(lines: string[], name: string, value: string | number | bigint | undefined): void {
  if (value !== undefined) lines.push(`${name} ${value}`)
}
