#!/bin/sh
':' /*
# For sh(1), all down to the end of this comment of JavaScript: the engine sets signals to their defaults, raises the
# limit of descriptors and lets none be inherited, before any of its programs runs. A command that quark-mon starts is to
# find all of that as it is now. See src/run/start-state.ts.
_qm_ignored= _qm_blocked= _qm_limit= _qm_fds=
while read -r _qm_key _qm_value; do
  case $_qm_key in
    SigBlk:) _qm_blocked=$_qm_value ;;
    SigIgn:) _qm_ignored=$_qm_value ;;
  esac
done </proc/self/status
while read -r _qm_a _qm_b _qm_c _qm_soft _qm_rest; do
  case $_qm_c in files) _qm_limit=$_qm_soft ;; esac
done </proc/self/limits
for _qm_fd in /proc/self/fd/*
do
  _qm_fd=${_qm_fd#/proc/self/fd/}
  case $_qm_fd in 0 | 1 | 2 | '*') continue ;; esac
  # Gone, or closed at the next exec.
  [ -e "/proc/self/fdinfo/$_qm_fd" ] || continue
  while read -r _qm_key _qm_value; do
    case $_qm_key:$_qm_value in flags:*[2367]??????) ;; flags:*) _qm_fds="$_qm_fds $_qm_fd" ;; esac
  done <"/proc/self/fdinfo/$_qm_fd"
done
QUARK_MON_START="$_qm_ignored:$_qm_blocked:$_qm_limit:$_qm_fds"
export QUARK_MON_START
if ! command -v node >/dev/null; then
  echo 'quark-mon: needs Node.js 20.20 or later, and no node is in PATH (install it; sudo may have a PATH of its own)' >&2
  exit 127
fi
exec node "$0" "$@"
*/

'use strict'

if (require('./node-version.cjs').isNew('quark-mon')) require('./launch.cjs').launch('quark-mon', 'main.js')
