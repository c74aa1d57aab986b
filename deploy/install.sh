#!/usr/bin/env bash
# Makes a Raspberry Pi an edge-fea device. Doing it again changes nothing; where another release is
# installed it is an upgrade. See docs/install.md.
set -euo pipefail
umask 022

HERE=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
# shellcheck source-path=SCRIPTDIR
. "$HERE/lib/all.sh"

# shellcheck disable=SC2016 # the backquotes are for people
HELP='usage: sudo deploy/install.sh [options]

Installs edge-fea, starts it and lets it examine itself.

  --offline BUNDLE   everything from this bundle (a folder or .tar, made by `make bundle`),
                     nothing from the network
  --debs FOLDER      Debian packages that are missing, from this folder; otherwise BUNDLE/debs
  --no-apt           no Debian packages; those that are missing are named
  --without-ssh      without the account that clinicians ask over SSH
  --any-machine      on a machine that is no Raspberry Pi, such as a PC or virtual machine
  --dry-run          print every change, and make none
  --help

exit codes:
    0  installed (again), and the doctor finds nothing that does not work
    2  wrong command line
   65  the bundle is damaged, or for another system
   66  there is no such bundle, or no Debian packages in --debs
   69  packages or wheels could not be fetched
   70  it was an upgrade, and the release before is back
   71  installed, but the doctor finds something that does not work: its lines say what to do
   73  not enough space
   74  neither the new release nor the one before works: see what was printed
   75  another install, upgrade or uninstall is at work
   76  this machine, system or Python is not one that edge-fea works on; nothing was changed
   77  not root, or something of the same name is in the way
   78  the settings or those of sshd are wrong'

OFFLINE='' DEBS=''

parse() {
  while (($#)); do
    case $1 in
      --offline | --debs)
        [[ -n ${2:-} ]] || usage_error "$1 needs a value"
        if [[ $1 == --offline ]]; then OFFLINE=$2; else DEBS=$2; fi
        shift
        ;;
      --no-apt) WITH_APT=no ;;
      --without-ssh) WITH_SSH=no ;;
      --any-machine) ANY_MACHINE=yes ;;
      --dry-run) DRY_RUN=yes ;;
      --help)
        say "$HELP"
        exit 0
        ;;
      *) usage_error "there is no option $1" ;;
    esac
    shift
  done
}

packages() {
  [[ -n $DEBS || ! -d $BUNDLE/debs/$SUITE ]] || DEBS=$BUNDLE/debs/$SUITE
  # Offline without any packages at hand, nothing is asked for.
  [[ -z $OFFLINE || -n $DEBS ]] || WITH_APT=no
  install_packages "$DEBS"
}

first_install() {
  verify_release "$RELEASE" ||
    die "$EX_SETTINGS" "the self-check failed: mend what it names, and install again"
  step 'Service'
  use_release "$RELEASE"
  enable_service
  prune_releases
  start_service 60 || say 'no picture was handled yet'
}

main() {
  local old code=0
  parse "$@"
  require_root
  take_turn
  DEBS=$(folder_of_debs "$DEBS")
  check_machine
  open_bundle "$OFFLINE" "$(dirname "$HERE")"
  check_room_for_release
  packages
  make_account
  make_folders
  finish_unfinished
  old=$(linked current)
  place_release
  put_settings "$BUNDLE"
  if [[ -n $old && $old != "$RELEASE" ]]; then
    upgrade "$old" "$RELEASE"
    enable_service
  else
    first_install
    tell_placing
  fi
  # The key that packs are signed with, so that its fingerprint can be noted; and before the
  # clinicians' account, which gets leave to read it.
  # Not in an image that is being built: each device makes its own (deploy/image).
  if booted; then
    step "The device's key"
    if dry; then
      say "would make the device's key, if there is none"
    else
      as_account "$OPT/bin/edge-fea" key show
    fi
  fi
  put_ssh "$BUNDLE"
  enable_memory_controller
  if dry; then
    tell_notes
    step 'Nothing was changed'
    return
  fi
  if booted; then
    show_doctor || code=$?
  fi
  tell_notes
  step "edge-fea $(cat "$RELEASE/RELEASE") is installed"
  exit "$code"
}

main "$@"
