import { missingOptions, type Option, optionGroups } from './options.js'
import { wrap } from './wrap.js'

const DATE = 'November 24, 2026'
/** Lines of text in the source of the page are not longer. */
const WIDTH = 78

const DESCRIPTION = `\
.Nm
watches every process of a Linux machine with eBPF and writes one event for what happened to it: fork, exec, exit,
and changes of its ids and its name.
Records of one process that happened close together become one event.
.Pp
It begins with the processes that exist, and ends on
.Dv SIGINT
or
.Dv SIGTERM ,
when its input file is at its end, or when nobody reads its output any more.
The counters of the run are then written to standard error, with a line for every kind of loss that occurred.
A second signal ends it at once.
.Pp
Watching needs root, or the capabilities
.Dv CAP_BPF ,
.Dv CAP_PERFMON
and
.Dv CAP_NET_ADMIN .
What this kernel does not let be watched is said on standard error, and the rest is watched.
.Pp
When an option is given more than once, the last one counts.`

const AFTER_OPTIONS = `\
.Sh ENVIRONMENT
.Bl -tag -width FORCE_COLOR
.It Ev NO_COLOR
When set and not empty, text is not coloured, unless
.Fl -colour Ns = Ns Cm always
is given.
.It Ev FORCE_COLOR
When set, and neither empty nor 0, text is coloured even when it does not go to a terminal.
.It Ev QUARK_BTF_PATH
File with the types of the running kernel, as with
.Fl -btf .
.El
.Sh FILES
.Bl -tag -width quark_by_pidtime.dot -compact
.It Pa quark_by_time.dot
graph of the buffer, see
.Fl -buffer-graph
.It Pa quark_by_pidtime.dot
the same graph: its nodes are in the order of time, and its edges join the records of a process
.El
.Sh EXIT STATUS
.Nm
exits 0, also when a signal or a closed pipe ended it, and 1 when the command line is wrong or an error occurred.
.Sh EXAMPLES
Show what is executed, and nothing that exists already:
.Pp
.Dl # quark-mon -s
.Pp
Keep ten seconds of a machine, and look at them elsewhere:
.Pp
.Dl # quark-mon -D --duration=10 --record=machine.quark
.Dl $ quark-mon --replay=machine.quark --json
.Pp
Draw the process table:
.Pp
.Dl # quark-mon -q --duration=1 -C table.dot > /dev/null
.Dl $ dot -Tsvg table.dot > table.svg`

const END = `\
.Sh SEE ALSO
.Xr dot 1 ,
.Xr proc 5 ,
.Xr capabilities 7`

/** The manual page, as mdoc(7). */
export function manPage(): string {
  const lines = [
    `.Dd ${DATE}`,
    '.Dt QUARK-MON 8',
    '.Os',
    '.Sh NAME',
    '.Nm quark-mon',
    '.Nd show every process from fork to exit',
    '.Sh SYNOPSIS',
    '.Nm',
    ...optionGroups.flatMap(({ options }) => options.map(synopsis)),
    '.Sh DESCRIPTION',
    DESCRIPTION,
    '.Sh OPTIONS',
    ...optionGroups.flatMap(({ title, options }) => [
      `.Ss ${title}`,
      '.Bl -tag -width Ds',
      ...options.flatMap(item),
      '.El',
    ]),
    AFTER_OPTIONS,
    '.Sh COMPATIBILITY',
    'These options of other versions are recognised and refused, because their features are not supported yet:',
    '.Pp',
    '.Bl -tag -width Ds -compact',
    ...missingOptions.flatMap(({ short, long, argument, feature }) => [
      `.It ${flag(short)} , ${longFlag(long, argument)}`,
      feature,
    ]),
    '.El',
    END,
  ]
  const folded = lines
    .flatMap((part) => part.split('\n'))
    .flatMap((line) => (isRequest(line) ? line : wrap(line, 0, WIDTH)))
  return `${folded.join('\n')}\n`
}

function isRequest(line: string): boolean {
  return line.startsWith('.')
}

function synopsis(option: Option): string {
  const { short, long, argument, withoutArgument } = option
  if (short === undefined) return `.Op ${longFlag(long, argument, withoutArgument)}`
  return `.Op ${flag(short)}${argument === undefined ? '' : ` Ar ${argument}`}`
}

function item(option: Option): string[] {
  const { short, long, argument, withoutArgument, conflicts, byDefault, help, more } = option
  const lines = [
    `.It ${short === undefined ? '' : `${flag(short)} , `}${longFlag(long, argument, withoutArgument)}`,
    `${escape(help.charAt(0).toUpperCase() + help.slice(1))}.`,
  ]
  if (byDefault !== undefined) lines.push(`Default: ${escape(byDefault)}.`)
  if (more !== undefined) lines.push(...escape(more).split(/(?<=\.) /))
  if (conflicts !== undefined) {
    const names = [...new Set(conflicts)].map((name) => `.Fl ${escape(`-${name}`)}`)
    lines.push(
      'Not together with',
      ...names.map((name, index) => name + (index < names.length - 1 ? ' ,' : ' .')),
    )
  }
  return lines
}

function flag(short: string): string {
  return `Fl ${short}`
}

function longFlag(long: string, argument: string | undefined, withoutArgument?: string): string {
  const name = `Fl ${escape(`-${long}`)}`
  if (argument === undefined) return name
  const value = `= Ns Ar ${argument}`
  return withoutArgument === undefined ? `${name} Ns ${value}` : `${name} Ns Oo ${value} Oc`
}

/** A hyphen in an option or a file name has to stay the character that a shell knows. */
function escape(text: string): string {
  return text.replaceAll('\\', '\\e').replaceAll('-', '\\-')
}
