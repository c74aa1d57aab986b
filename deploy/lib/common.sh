# shellcheck shell=bash
# What install.sh, upgrade.sh, uninstall.sh and the Debian package share: words, places, and changes
# that are shown before they are made, and only made where there is something to change.

# Exit codes, the same in all scripts. docs/install.md explains them; 71
# is the doctor's own.
readonly EX_USAGE=2 EX_BUNDLE=65 EX_MISSING=66 EX_DOWNLOAD=69 EX_ROLLED_BACK=70
readonly EX_SPACE=73 EX_STUCK=74 EX_BUSY=75 EX_MACHINE=76 EX_REFUSED=77 EX_SETTINGS=78

readonly ACCOUNT=edge-fea
readonly OPT=/opt/edge-fea
readonly RELEASES=$OPT/releases
# Names the upgrade that is under way; what is left of it was cut off.
readonly UNFINISHED=$OPT/upgrade-unfinished
readonly SETTINGS_FOLDER=/etc/edge-fea
readonly SETTINGS=$SETTINGS_FOLDER/edge-fea.toml
readonly DATA=/var/lib/edge-fea
readonly BACKUPS=/var/backups/edge-fea
readonly UNITS=/etc/systemd/system
readonly UDEV_RULES=/etc/udev/rules.d
readonly SSHD_DROP_IN=/etc/ssh/sshd_config.d/60-edge-fea.conf
readonly PAM_FILE=/etc/pam.d/edge-fea
readonly PAM_SSHD=/etc/pam.d/sshd
readonly PAM_LINE='@include edge-fea'
readonly CLINICIAN=clinician
readonly CLINICIAN_CACHE=/var/cache/edge-fea-clinician
readonly COMMAND=/usr/local/bin/edge-fea
readonly LOCK=/run/lock/edge-fea-install

DRY_RUN=${DRY_RUN:-no}
# What a person must still do; told once more at the end.
NOTES=()
SCRATCH=
# Whether a service that was running has been stopped and is not back yet.
STOPPED=no
# Whether this run is in the middle of an upgrade, or of taking one back.
HALF_WAY=no

# Where nobody is there any more to read it, the rest is done without words.
say() { printf '%s\n' "$*" 2>/dev/null || exec >/dev/null 2>&1; }
step() { say $'\n'"== $*"; }
fine() { say "OK  $*"; }
# What is told at the end only.
note() { NOTES+=("$*"); }
warn() {
  say "!!  $*" >&2
  note "$*"
}
die() {
  local code=$1
  shift
  say "XX  $*" >&2
  exit "$code"
}
usage_error() { die "$EX_USAGE" "$* (--help lists the options)"; }

dry() { [[ $DRY_RUN == yes ]]; }

# Runs a command that changes something, or says that it would.
run() {
  if dry; then
    printf 'would run:%s\n' "$(printf ' %q' "$@")"
  else
    "$@"
  fi
}

# Whether systemd runs here: in a chroot, such as an image that is being built, it does not.
booted() { [[ -d /run/systemd/system ]]; }

as_account() { runuser -u "$ACCOUNT" -- "$@"; }

require_root() {
  dry || [[ $EUID -eq 0 ]] || die "$EX_REFUSED" "this needs root: put sudo before it"
}

# One at a time; the lock goes with the process.
take_turn() {
  dry && return
  # Everybody's folder where it is there: its mode is not ours to change.
  [[ -d ${LOCK%/*} ]] || install -d -m 0755 "${LOCK%/*}"
  exec 9>"$LOCK"
  flock --nonblock 9 || die "$EX_BUSY" "another install, upgrade or uninstall of edge-fea is at work"
}

# A folder for this run that goes with it. On the disk, since /tmp may be memory.
make_scratch() {
  [[ -z $SCRATCH ]] || return 0
  SCRATCH=$(mktemp -d /var/tmp/edge-fea-install.XXXXXX)
  trap leave EXIT
}

# However this run ends, the device records again. An upgrade that was cut off is taken back now: at
# the next start of the device, perhaps months later, the new release would have proved itself.
leave() {
  trap '' HUP INT TERM PIPE
  rm -rf -- "$SCRATCH"
  if [[ $HALF_WAY:$AT_START == yes:no && -f $UNFINISHED ]] && booted; then
    stop_service || true
    # A command that outlives this run holds the lock too: closing it here would not do.
    flock --unlock 9 2>/dev/null || true
    # systemd has the second wait for the first.
    systemctl start --no-block edge-fea-upgrade.service edge-fea.service
  elif [[ $STOPPED == yes ]]; then
    systemctl start --no-block edge-fea.service
  fi
}

# From here on a connection that is lost ends nothing.
outlast_connection() { dry || trap '' HUP PIPE; }

# put_file SOURCE TARGET [MODE]: the file is there whole or not at all, and root's.
put_file() {
  local source=$1 target=$2 mode=${3:-0644}
  if [[ -f $target ]] && cmp -s "$source" "$target" && [[ 0$(stat -c %a "$target") == "$mode" ]]; then
    return
  fi
  if dry; then
    say "would write: $target"
    return
  fi
  say "writing $target"
  install -d -m 0755 "$(dirname "$target")"
  install -o root -g root -m "$mode" "$source" "$target.edge-fea-new"
  mv -T "$target.edge-fea-new" "$target"
}

# make_folder PATH OWNER MODE
make_folder() {
  local path=$1 owner=$2 mode=$3
  if [[ -d $path && $(stat -c '%U:%a' "$path") == "$owner:${mode#0}" ]]; then
    return
  fi
  say "folder $path ($owner, $mode)"
  run install -d -o "$owner" -g "$owner" -m "$mode" "$path"
}

# link TARGET NAME: from one moment to the next the name means something else.
link() {
  local target=$1 name=$2
  [[ $(readlink "$name" 2>/dev/null) != "$target" ]] || return 0
  say "$name -> $target"
  if [[ -e $name && ! -L $name ]]; then
    die "$EX_REFUSED" "$name is there already, and no link of edge-fea's: move it away"
  fi
  run ln -sfn "$target" "$name.edge-fea-new"
  run mv -T "$name.edge-fea-new" "$name"
}

remove_file() {
  [[ -e $1 || -L $1 ]] || return 0
  say "removing $1"
  run rm -f -- "$1"
}

# remove_tree PATH: only below the places that are edge-fea's.
remove_tree() {
  case $1 in
    "$OPT" | "$OPT"/* | "$SETTINGS_FOLDER" | "$DATA" | "$BACKUPS" | "$CLINICIAN_CACHE") ;;
    *) die 1 "refusing to remove $1, which is not edge-fea's" ;;
  esac
  [[ -e $1 ]] || return 0
  say "removing $1"
  run rm -rf -- "$1"
}

tell_notes() {
  local each
  ((${#NOTES[@]})) || return 0
  step 'Still to see to'
  for each in "${NOTES[@]}"; do
    say "- $each"
  done
}
