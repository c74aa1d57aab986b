#!/bin/sh
# Makes the account that clinicians log in to over SSH; run it as root. Doing it again changes
# nothing. What it makes can be named, for other places than those of deploy/sshd/60-edge-fea.conf:
#   clinician-account.sh [ACCOUNT [KEYS [SERVICE [FOLDER [CACHE]]]]]
set -eu

account=${1:-clinician}
keys=${2:-/etc/edge-fea/clinicians}
service=${3:-edge-fea}
folder=${4:-/var/lib/edge-fea}
cache=${5:-/var/cache/edge-fea-clinician}

# /bin/sh, because sshd runs its forced command with the account's shell; with nologin there would
# be no command either. A home that is root's: nothing in it is the account's to change. '*' is no
# password that can be given, and unlike '!' it does not lock keys out where sshd goes without PAM.
if ! id "$account" >/dev/null 2>&1; then
  useradd --system --user-group --no-create-home --home-dir / --shell /bin/sh \
    --comment 'Clinicians over SSH (edge-fea)' --password '*' "$account"
fi
# In the service's group: it may read the database, and nothing in that folder lets it write.
id -nG "$account" | tr ' ' '\n' | grep -qx "$service" ||
  usermod --append --groups "$service" "$account"
chmod 0750 "$folder"

# But for the audit trail, where each request leaves its rows.
install -d -o "$service" -g "$service" -m 2770 "$folder/audit"

# Packs are signed with the device's key.
if [ -d "$folder/keys" ]; then
  chmod 0750 "$folder/keys"
  find "$folder/keys" -name '*.pem' -type f -exec chmod 0640 {} +
fi

# For the list of fonts that reports need: the one place that is the account's own.
install -d -o "$account" -g "$account" -m 0700 "$cache"

# Root's alone: who can change this file decides who gets in.
install -d -o root -g root -m 0755 "$(dirname "$keys")"
if [ ! -e "$keys" ]; then
  install -o root -g root -m 0644 /dev/null "$keys"
fi
