import { BTF_USAGE } from './btf/text.js'
import { btfOptions } from './btf/options.js'
import { asciicastOptions } from './commands/asciicast.js'
import { doctorOptions } from './commands/doctor.js'
import { exitStatusRows } from './exit-status.js'
import type { Option, OptionGroup } from './option.js'
import { TABLE } from './options.js'
import { COMMAND_EXAMPLES, COMMANDS } from './run/man-text.js'
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
Events that are held then are still written for at most 50 ms of CPU time; those that are left are counted on standard error.
A sentence about the run is then written to standard error, with
.Fl -dump
or
.Fl v
its counters, and a line for every kind of loss that occurred.
A second signal ends it at once.
.Pp
Watching needs root, or the capabilities
.Dv CAP_BPF ,
.Dv CAP_PERFMON
and
.Dv CAP_NET_ADMIN .
What this kernel does not let be watched is reported on standard error, and the rest is watched.
.Pp
When an option is given more than once, the last one counts.`

const DOCTOR = `\
.Nm
.Cm doctor
reports what a run with default options would miss on this machine.
It reads what may stand in the way: capabilities, lockdown, seccomp, namespaces, and file systems that are missing.
It then opens every hook and every backend for a moment, one after the other.
Each line has a verdict:
.Bl -tag -width problem -compact
.It Cm ok
as it should be
.It Cm problem
a default run misses something because of it
.It Cm absent
not there, and a default run does without
.It Cm unknown
it cannot be found out, mostly for want of rights
.It Cm note
for information only
.El
.Pp
The lines below it name what cannot be learnt because of it, and the command that changes that.
It needs no privileges, but without them much stays unknown.
It exits 0 when a default run would be complete, 1 when it would not, and 2 on an error.`

const ASCIICAST = `\
.Nm
.Cm asciicast
writes what a terminal showed, out of a recording that was made with
.Fl -tty
and
.Fl -record ,
as an asciicast (version 2), which
.Xr asciinema 1
plays.
What was typed is in it where the terminal echoed it, and where output is missing there is a marker.
If the recording has several terminals, one must be chosen:
.Pp
.Dl # quark-mon --tty --record=session.quark
.Dl $ quark-mon asciicast --list session.quark
.Dl $ quark-mon asciicast --terminal=pts/3 -o session.cast session.quark`

const RULES = `\
.Nm
.Cm rules check
finds everything that is wrong in a file of rules, and rules that can never decide;
.Cm explain
writes each rule with where it is decided and why;
.Cm test
runs the tests that stand beside the rules;
.Cm fields
lists what rules can ask.
A rule that matches and says
.Cm warn
is reported at the end of a run; one that says
.Cm fail
makes the run exit with 4, too.
A file may look like this:
.Bd -literal -offset indent
list shells = /bin/sh /bin/bash
poison 1 on process.exe [ $shells ] process.uid 33
warn on poison 1 process.exe /usr/bin/curl
drop on process.exe /usr/lib/* not poison 1
test "curl of a shell" warn on poison 1 process.exe /usr/bin/curl
.Ed`

const COMPLETIONS = `\
.Nm
.Cm completions
.Ar SHELL
writes a script by which
.Cm bash ,
.Cm zsh
or
.Cm fish
completes command lines of
.Nm
and
.Xr quark-btf 8 :
.Pp
.Dl $ source <(quark-mon completions bash)
.Dl % source <(quark-mon completions zsh)
.Dl > quark-mon completions fish | source`

const BTF_DESCRIPTION = `\
.Nm
writes one line for each
.Ar TARGET ,
or for all: the name of a member of a kernel structure, and its offset in bytes;
or the name of an enumerator, and its value.
.Sq U
stands in place of what the kernel does not have.
Where kernels have other names for a target, those are tried as well.
.Pp
The types come from
.Pa /sys/kernel/btf/vmlinux ,
from where distributions put kernels with debug information, or from the offsets that are known of some kernels.`

const BTF_AFTER_OPTIONS = `\
.Sh ENVIRONMENT
.Bl -tag -width QUARK_BTF_PATH
.It Ev QUARK_BTF_PATH
File with the types of the running kernel, in place of all of these.
.El
.Sh EXIT STATUS
.Nm
exits 0, 2 when the command line is wrong, and 1 when there are no types, or the kernel lacks one of the targets that
were written.
Kernels have either signal_struct.pids or task_struct.pids, so that one of them may be missing.
.Sh EXAMPLES
Make the offsets of a kernel without BTF from its debug information, and use them:
.Pp
.Dl $ pahole --btf_encode_detached=kernel.btf vmlinux
.Dl $ quark-btf -g kernel.btf myself 4.15.0-9-custom > offsets.json
.Dl # quark-mon --btf offsets.json
.Sh SEE ALSO
.Xr quark-mon 8`

function statusItem([status, doc]: readonly [number, string]): string {
  return `.It ${status}\n${doc.replace(/^with -(-[\w-]+): /, 'with\n.Fl $1 :\n')}`
}

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
.Sh ROTATION
The file of
.Fl -output
is emptied at the start, and
.Dv SIGHUP
opens it again.
The same signal has the file of
.Fl -ruleset
read again; if something is wrong in it, the rules stay as they are.
With any of
.Fl -rotate-size ,
.Fl -rotate-age
and
.Fl -rotate-total
it is rotated: FILE becomes FILE.1, FILE.1 becomes FILE.2, and no event is split.
What is found in FILE at the start is then kept and counted, so that a run goes on where one before was killed.
Files with higher numbers than are kept are not touched.
.Pp
If files cannot be renamed, the reason is reported on standard error, events go on into the file that is open, and it is tried
again after 10 seconds: nothing is lost, but the limits do not hold meanwhile.
If an event cannot be written, as on a full disk, the run ends with exit status 1, and the file, the reason and the number of
lines that are not written are reported.
.Pp
Rotation is refused with
.Fl -drop-privileges ,
as without privileges files cannot be renamed; copytruncate of
.Xr logrotate 8
works with it.
.Sh EXIT STATUS
.Nm
exits as its command does, if it has one, and otherwise 0, also when a signal or a closed pipe ended it.
A command that fails keeps its own status; 3 to 6 are in place of 0:
.Bl -tag -width 127
${exitStatusRows().map(statusItem).join('\n')}
.El
.Sh EXAMPLES
${COMMAND_EXAMPLES}
Show what is executed, and nothing that exists already:
.Pp
.Dl # quark-mon -s
.Pp
Record ten seconds of a machine, and replay them elsewhere:
.Pp
.Dl # quark-mon -D --duration=10 --record=machine.quark
.Dl $ quark-mon --replay=machine.quark --json
.Pp
Keep at most 1 GiB of events, in files of at most 100 MiB and a day:
.Pp
.Dl # quark-mon -q --ecs -o events --rotate-size=100M --rotate-age=1d --rotate-total=1G
.Pp
Draw the process table:
.Pp
.Dl # quark-mon -q --duration=1 -C table.dot > /dev/null
.Dl $ dot -Tsvg table.dot > table.svg`

const END = `\
.Sh SEE ALSO
.Xr dot 1 ,
.Xr proc 5 ,
.Xr capabilities 7 ,
.Xr quark-btf 8`

/** The manual page, as mdoc(7). */
export function manPage({ groups, missing } = TABLE): string {
  const lines = [
    `.Dd ${DATE}`,
    '.Dt QUARK-MON 8',
    '.Os',
    '.Sh NAME',
    '.Nm quark-mon',
    '.Nd show every process from fork to exit',
    '.Sh SYNOPSIS',
    '.Nm',
    ...groups.flatMap(({ options }) => options.map(synopsis)),
    '.Op Fl \\- Ar command Op Ar argument ...',
    '.Nm',
    '.Cm doctor',
    ...doctorOptions.options.map(synopsis),
    '.Nm',
    '.Cm asciicast',
    ...asciicastOptions.options.map(synopsis),
    '.Ar RECORDING',
    '.Nm',
    '.Cm rules',
    '.Cm check | explain | test | fields',
    '.Ar FILE',
    '.Nm',
    '.Cm completions',
    '.Ar SHELL',
    '.Sh DESCRIPTION',
    DESCRIPTION,
    '.Sh OPTIONS',
    ...groups.flatMap(section),
    '.Sh COMMANDS',
    COMMANDS,
    '.Sh DOCTOR',
    DOCTOR,
    ...items(doctorOptions),
    '.Sh ASCIICAST',
    ASCIICAST,
    ...items(asciicastOptions),
    '.Sh RULES',
    RULES,
    '.Sh COMPLETIONS',
    COMPLETIONS,
    AFTER_OPTIONS,
    '.Sh COMPATIBILITY',
    'These options of other versions are recognised and refused, because their features are not there:',
    '.Pp',
    '.Bl -tag -width Ds -compact',
    ...missing.flatMap(({ short, long, argument, feature }) => [
      `.It ${flag(short)} , ${longFlag(long, argument)}`,
      feature,
    ]),
    '.El',
    END,
  ]
  return folded(lines)
}

/** The manual page of quark-btf, as mdoc(7). */
export function btfManPage(): string {
  return folded([
    `.Dd ${DATE}`,
    '.Dt QUARK-BTF 8',
    '.Os',
    '.Sh NAME',
    '.Nm quark-btf',
    '.Nd show where a kernel keeps what quark reads',
    '.Sh SYNOPSIS',
    ...BTF_USAGE.flatMap((usage) => ['.Nm', ...usageMacros(usage)]),
    '.Sh DESCRIPTION',
    BTF_DESCRIPTION,
    ...items(btfOptions),
    BTF_AFTER_OPTIONS,
  ])
}

function folded(lines: readonly string[]): string {
  const all = lines
    .flatMap((part) => part.split('\n'))
    .flatMap((line) => (isRequest(line) ? line : wrap(line, 0, WIDTH)))
  return `${all.join('\n')}\n`
}

function section<S>(group: OptionGroup<S>): string[] {
  return [`.Ss ${group.title}`, ...items(group)]
}

function items<S>({ options }: OptionGroup<S>): string[] {
  return ['.Bl -tag -width Ds', ...options.flatMap(item), '.El']
}

/** A line of the help text, `name [-bv] [-f FILE] -l VERSION [TARGET ...]`, word by word in mdoc. */
function usageMacros(usage: string): string[] {
  const [, ...words] = usage.match(/\[[^\]]*\]|\S+/g) ?? []
  return words.map((word) => {
    const macros = word
      .replaceAll(/[[\]]/g, '')
      .split(' ')
      .map((part) => (part.startsWith('-') ? `Fl ${part.slice(1)}` : part === '...' ? part : `Ar ${part}`))
    return `.${word.startsWith('[') ? 'Op ' : ''}${macros.join(' ')}`
  })
}

function isRequest(line: string): boolean {
  return line.startsWith('.')
}

function synopsis<S>(option: Option<S>): string {
  const { short, long, argument, withoutArgument } = option
  if (short === undefined) return `.Op ${longFlag(long, argument, withoutArgument)}`
  return `.Op ${flag(short)}${argument === undefined ? '' : ` Ar ${argument}`}`
}

function item<S>(option: Option<S>): string[] {
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
