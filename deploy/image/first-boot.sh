#!/usr/bin/env bash
# What a device that was started from a ready card still lacks: a key of its own, and what somebody
# has put onto the card's boot partition. Run by edge-fea-first-boot.service.
#   first-boot.sh [BOOT]      the boot partition's folder, otherwise /boot/firmware
#
#   edge-fea.toml             settings; kept there as edge-fea.toml.taken
#   edge-fea-keys.txt         public SSH keys of the operator, one a line
#   edge-fea-timezone.txt     such as Europe/Berlin
#   edge-fea-wifi.txt         two lines: ssid=NAME and passphrase=WORDS
#
# The last three are removed once they were taken. Ends with 78, and a file on the boot partition that
# says why, where one of them is wrong; the others are taken all the same.
set -euo pipefail
umask 022

HERE=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
# shellcheck source-path=SCRIPTDIR/..
. "$HERE/lib/all.sh"
# shellcheck source-path=SCRIPTDIR/..
. "$HERE/image/boot-files.sh"

# shellcheck disable=SC2034 # boot-files.sh reads it
BOOT=${1:-/boot/firmware}

require_root
make_scratch
if [[ ! -e $DATA/keys/device.pem ]]; then
  as_account "$OPT/bin/edge-fea" key show
  [[ ! -f $SSHD_DROP_IN ]] || "$HERE/clinician-account.sh" "$CLINICIAN" \
    "$SETTINGS_FOLDER/clinicians" "$ACCOUNT" "$DATA" "$CLINICIAN_CACHE"
fi
take_boot_files
