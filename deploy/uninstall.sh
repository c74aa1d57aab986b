#!/usr/bin/env bash
# Takes edge-fea off a device. What was recorded stays, unless --purge says otherwise.
set -euo pipefail
umask 022

HERE=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
# shellcheck source-path=SCRIPTDIR
. "$HERE/lib/all.sh"

HELP='usage: sudo deploy/uninstall.sh [options]

Stops edge-fea and removes the program, its units and rules, and the account of clinicians.
Settings, keys, records and backups stay, and a later installation goes on with them.

  --purge     removes those too: everything that was recorded, for good. Asks first.
  --yes       do not ask
  --dry-run   print every change, and make none
  --help

exit codes:
    0  done
    2  wrong command line
   75  another install, upgrade or uninstall is at work
   77  not root, or nobody said yes to --purge'

PURGE=no YES=no
for option in "$@"; do
  case $option in
    --purge) PURGE=yes ;;
    --yes) YES=yes ;;
    --dry-run) DRY_RUN=yes ;;
    --help)
      say "$HELP"
      exit 0
      ;;
    *) usage_error "there is no option $option" ;;
  esac
done
require_root
take_turn
make_scratch
[[ $PURGE == no ]] || confirm_purge
remove_program
if [[ $PURGE == yes ]]; then
  purge_data
else
  keep_data
fi
if dry; then step 'Nothing was changed'; else step 'edge-fea is removed'; fi
