#!/usr/bin/env bash
# What a device that was started from a ready card still lacks: a key of its own, and the settings
# that somebody has put onto the card's boot partition. Run by edge-fea-first-boot.service.
#   first-boot.sh [BOOT]      the boot partition's folder, otherwise /boot/firmware
# Ends with 78, and a file on the boot partition that says why, where the settings are wrong.
set -euo pipefail
umask 022

HERE=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
# shellcheck source-path=SCRIPTDIR/..
. "$HERE/lib/all.sh"

BOOT=${1:-/boot/firmware}
GIVEN=$BOOT/edge-fea.toml
PROBLEM=$BOOT/edge-fea-problem.txt

# The boot partition can be read on any computer, and is FAT: written anew and synced, then renamed.
say_on_card() {
  { printf '%s\r\n' "$@"; } >"$PROBLEM.new"
  sync "$PROBLEM.new"
  mv -T "$PROBLEM.new" "$PROBLEM"
}

take_settings() {
  local said
  # As the service's user: what it may not read or write shows here. The copy is what is checked.
  install -m 0644 "$GIVEN" "$SCRATCH/edge-fea.toml"
  # From a computer with Windows.
  sed -i 's/\r$//' "$SCRATCH/edge-fea.toml"
  chmod 0755 "$SCRATCH"
  if ! said=$(as_account "$OPT/bin/edge-fea" config check "$SCRATCH/edge-fea.toml" 2>&1); then
    say_on_card 'edge-fea.toml was not taken, and the device goes on with what it had. It says:' \
      '' "${said//"$SCRATCH/"/}" '' 'Mend it, and start the device again.'
    die "$EX_SETTINGS" "$GIVEN was not taken: $said"
  fi
  put_file "$SCRATCH/edge-fea.toml" "$SETTINGS"
  # Only once: what is changed on the device later is not undone by the next start.
  mv -T "$GIVEN" "$GIVEN.taken"
  rm -f "$PROBLEM"
  sync -f "$BOOT"
}

require_root
make_scratch
if [[ ! -e $DATA/keys/device.pem ]]; then
  as_account "$OPT/bin/edge-fea" key show
  [[ ! -f $SSHD_DROP_IN ]] || "$HERE/clinician-account.sh" "$CLINICIAN" \
    "$SETTINGS_FOLDER/clinicians" "$ACCOUNT" "$DATA" "$CLINICIAN_CACHE"
fi
[[ ! -f $GIVEN ]] || take_settings
