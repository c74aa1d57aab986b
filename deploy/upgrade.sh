#!/usr/bin/env bash
# Puts a newer edge-fea beside the present one and changes over; goes back by itself where the new
# one does not do as well. See docs/install.md.
set -euo pipefail
umask 022

HERE=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
# shellcheck source-path=SCRIPTDIR
. "$HERE/lib/all.sh"

# shellcheck disable=SC2016 # the backquotes are for people
HELP='usage: sudo deploy/upgrade.sh [options of install.sh]
       sudo deploy/upgrade.sh --roll-back

Puts the release beside the present one, examines it, stops the service, backs the database up,
changes over and starts. Where the new release fails its self-check, does not start, or a check of
the doctor fails that did not fail before, the present release and its database come back by
themselves. The release before is kept.

  --offline BUNDLE   the new release, made by `make bundle`; without it, that of this folder
  --roll-back        go back to the release before, by hand
  --finish-at-start  take back an upgrade that was cut off; for edge-fea-upgrade.service, which runs
                     before the service. By hand any of the other ways does so first
  --dry-run          print every change, and make none
  --help

exit codes: those of install.sh, of which
    0  the new release is in use
   66  edge-fea is not installed, or there is no bundle, or no release to go back to
   70  the new release does not do as well: the one before is in use, or still is
   74  neither works: see what was printed'

case " $* " in
  *' --help '*)
    say "$HELP"
    exit 0
    ;;
esac
[[ -n $(linked current) ]] || die "$EX_MISSING" 'edge-fea is not installed here: deploy/install.sh'
if [[ " $* " == *' --roll-back '* ]]; then
  [[ $# -eq 1 ]] || usage_error '--roll-back stands alone'
  require_root
  take_turn
  make_scratch
  finish_unfinished
  ANY_MACHINE=yes
  roll_back_by_hand
  exit
fi
if [[ " $* " == *' --finish-at-start '* ]]; then
  [[ $# -eq 1 ]] || usage_error '--finish-at-start stands alone'
  require_root
  take_turn
  make_scratch
  finish_at_start
  exit
fi
# One way to do it: install.sh upgrades what it finds.
exec "$HERE/install.sh" "$@"
