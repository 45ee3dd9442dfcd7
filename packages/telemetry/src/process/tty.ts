/** Names of terminals, from the numbers of their devices (Documentation/admin-guide/devices.txt of Linux). */

/** Pseudo-terminals have eight majors. Minors beyond 255 count on within the first one. */
const FIRST_PTS = 136
const LAST_PTS = 143

/** Serial lines and consoles of hypervisors, which are numbered from the first minor on. */
const LINES: Readonly<
  Record<number, readonly { readonly from: number; readonly to: number; readonly name: string }[]>
> = {
  4: [
    { from: 1, to: 63, name: 'tty' },
    { from: 64, to: 255, name: 'ttyS' },
  ],
  166: [{ from: 0, to: 255, name: 'ttyACM' }],
  188: [{ from: 0, to: 255, name: 'ttyUSB' }],
  204: [{ from: 64, to: 79, name: 'ttyAMA' }],
  229: [{ from: 0, to: 255, name: 'hvc' }],
}

/** `pts/3` for 136 and 3, as ps(1) shows it; undefined for 0 and 0, which is no terminal, and for others without a fixed name. */
export function ttyNameOf(major: number, minor: number): string | undefined {
  if (major >= FIRST_PTS && major <= LAST_PTS) return `pts/${(major - FIRST_PTS) * 256 + minor}`
  if (major === 5 && minor === 1) return 'console'
  const line = LINES[major]?.find(({ from, to }) => minor >= from && minor <= to)
  if (line === undefined) return undefined
  const { name, from } = line
  return `${name}${name === 'tty' ? minor : minor - from}`
}
