/** The parts of the manual page about commands and summaries, as mdoc(7). */

export const COMMANDS = `\
With a
.Ar command ,
only that and its descendants are shown, also those that become daemons or whose parents end first.
The run ends with the command, or with
.Fl -wait
with its last descendant, and with its exit status; if a signal ended it, by that signal.
The command runs as the user who called
.Xr sudo 8 ,
and has standard output to itself: events go to standard error, or to the file of
.Fl -output .
At the end it is said how many processes were created and how many of them were seen.
.Pp
Ctrl-C is the command's; twice within two seconds it ends the watching, and the command is waited for.
.Dv SIGTERM ,
.Dv SIGHUP
and
.Dv SIGUSR2
are passed on.
.Bl -tag -width Ds -compact
.It 125
something failed before the command began
.It 126
the program cannot be executed
.It 127
there is no such program
.El`

export const COMMAND_EXAMPLES = `\
Show all that a build does, and what of it took longest and used most:
.Pp
.Dl # quark-mon -o events -- make -j4
.Dl # quark-mon --summary -- make -j4
.Pp`
