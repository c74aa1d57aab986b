# shellcheck shell=bash
# What edge-fea puts into the system around its own folder: packages, account, settings, units,
# rules, the clinicians' way in. Each function changes what differs and nothing else.

# Only Raspberry Pi OS has these; python3-picamera2 must come from there, since it fits the kernel's
# camera. The environment sees them through --system-site-packages.
readonly PI_PACKAGES=(python3-picamera2 python3-gpiozero python3-lgpio)
# For reports as PDF, and for USB sticks and their file systems.
readonly PACKAGES=(libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0)
WITH_APT=${WITH_APT:-yes}
WITH_SSH=${WITH_SSH:-yes}

wanted_packages() {
  printf '%s\n' "${PACKAGES[@]}"
  [[ $IS_PI == no ]] || printf '%s\n' "${PI_PACKAGES[@]}"
}

missing_packages() {
  local name
  while read -r name; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) == installed ]] ||
      printf '%s\n' "$name"
  done < <(wanted_packages)
}

# folder_of_debs [FOLDER]: the same in full; it must hold packages.
folder_of_debs() {
  [[ -n $1 ]] || return 0
  compgen -G "$1/*.deb" >/dev/null ||
    die "$EX_MISSING" "there are no Debian packages (*.deb) in $1: give the folder of this system," \
      'such as debs/trixie'
  realpath "$1"
}

# newer_debs FOLDER: the files in it that are not here in the same or a newer version, which apt
# would refuse to go back from.
newer_debs() {
  local file name version here
  for file in "$1"/*.deb; do
    name=$(dpkg-deb --field "$file" Package)
    version=$(dpkg-deb --field "$file" Version)
    here=$(dpkg-query -W -f '${db:Status-Status} ${Version}\n' "$name" 2>/dev/null |
      sed -n 's/^installed //p' | head -1) || here=''
    if [[ -z $here ]] || dpkg --compare-versions "$here" lt "$version"; then
      printf '%s\n' "$file"
    fi
  done
}

# install_packages [DEBS]: from the network, or from a folder of .deb files.
install_packages() {
  local debs=${1:-} missing=() files=()
  step "Debian's packages"
  mapfile -t missing < <(missing_packages)
  if ((${#missing[@]} == 0)); then
    fine 'all there'
    return
  fi
  if [[ $WITH_APT == yes ]]; then
    if [[ -n $debs ]]; then
      mapfile -t files < <(newer_debs "$debs")
      # apt, not dpkg: it puts them in order. It is shown no other source: where it knows one of a
      # package, it would fetch it from there.
      mkdir -p "$SCRATCH/lists/partial"
      ((${#files[@]} == 0)) || apt_get -o Dir::State::Lists="$SCRATCH/lists" -o Dir::Etc::SourceList=/dev/null \
        -o Dir::Etc::SourceParts=/dev/null -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
        install "${files[@]}"
    else
      apt_get update
      apt_get install "${missing[@]}"
    fi
    dry || mapfile -t missing < <(missing_packages)
  fi
  ((${#missing[@]} == 0)) || dry || warn "not installed: ${missing[*]}. Install them with apt;" \
    'without python3-picamera2 there is no Pi camera, without libpango no report as PDF'
}

apt_get() {
  DEBIAN_FRONTEND=noninteractive run apt-get --quiet --yes --no-install-recommends "$@" ||
    die "$EX_DOWNLOAD" 'apt-get failed: see above; nothing of edge-fea was changed yet'
}

make_account() {
  local group
  step 'The account that it runs as'
  # A group that the unit names and the system lacks would keep the service from ever starting.
  for group in video render; do
    getent group "$group" >/dev/null || run groupadd --system "$group"
  done
  if ! getent passwd "$ACCOUNT" >/dev/null; then
    run useradd --system --user-group --no-create-home --home-dir "$DATA" \
      --shell /usr/sbin/nologin --comment 'edge-fea' "$ACCOUNT"
  fi
  for group in video render gpio; do
    getent group "$group" >/dev/null || continue
    id -nG "$ACCOUNT" 2>/dev/null | tr ' ' '\n' | grep -qx "$group" ||
      run usermod --append --groups "$group" "$ACCOUNT"
  done
  fine "$ACCOUNT"
}

make_folders() {
  step 'Settings and data'
  if [[ ! -d $SETTINGS_FOLDER ]]; then
    run install -d -o root -g root -m 0755 "$SETTINGS_FOLDER"
  fi
  make_folder "$DATA" "$ACCOUNT" 0750
  # Its group may add rows: what clinicians ask for over SSH is put on record by their account.
  make_folder "$DATA/audit" "$ACCOUNT" 2770
  make_folder "$BACKUPS" "$ACCOUNT" 0700
}

# put_settings RELEASE: the commented defaults; what is there already is the operator's.
put_settings() {
  if [[ -e $SETTINGS ]]; then
    fine "$SETTINGS is kept as it is"
  else
    put_file "$1/deploy/edge-fea.toml" "$SETTINGS"
  fi
}

# Whether `edge-fea config` shows that backups have a place to go to.
has_backup_folder() {
  as_account "$OPT/bin/edge-fea" config | grep -Eq '^backup\.folder = "[^"]+"'
}

# apply_system RELEASE: units, rules and links of this release, and none that only another one had.
apply_system() {
  local release=$1 unit
  # Not made yet, where it is only told what would be done.
  ! dry || [[ -d $release ]] || release=$BUNDLE
  for unit in "$UNITS"/edge-fea*.{service,timer,path}; do
    if [[ -f $unit && ! -e $release/systemd/${unit##*/} ]]; then
      if [[ ${unit##*/} == edge-fea-upgrade.service ]]; then
        # What this is run by, and what the service waits for. Left over, it does nothing.
        [[ $AT_START == no ]] || continue
        run systemctl --quiet disable edge-fea-upgrade.service
      elif booted; then
        run systemctl --quiet disable --now "${unit##*/}"
      fi
      remove_file "$unit"
    fi
  done
  for unit in "$release"/systemd/*; do
    put_file "$unit" "$UNITS/${unit##*/}"
  done
  for unit in "$release"/deploy/udev/*.rules; do
    put_file "$unit" "$UDEV_RULES/${unit##*/}"
  done
  link current/bin "$OPT/bin"
  link "$OPT/bin/edge-fea" "$COMMAND"
  reload_system
}

reload_system() {
  booted || return 0
  run systemctl daemon-reload
  # At the start udev reads the rules by itself.
  [[ $AT_START == no ]] || return 0
  if [[ -S /run/udev/control ]]; then
    run udevadm control --reload
    run udevadm trigger --subsystem-match=leds --action=change
  fi
}

# The clinicians' account; it lets nobody in before root has put a key into its file.
put_ssh() {
  local release=$1
  step "Clinicians' way in (SSH)"
  if [[ $WITH_SSH != yes ]]; then
    fine 'left out, as asked; docs/ssh.md tells how to add it'
    return
  fi
  if [[ ! -d ${SSHD_DROP_IN%/*} || ! -f $PAM_SSHD ]]; then
    warn "there is no OpenSSH server: once there is one, install edge-fea again for clinicians'" \
      'questions over SSH'
    return
  fi
  run "$release/deploy/clinician-account.sh" "$CLINICIAN" "$SETTINGS_FOLDER/clinicians" \
    "$ACCOUNT" "$DATA" "$CLINICIAN_CACHE"
  put_file "$release/deploy/sshd/60-edge-fea.conf" "$SSHD_DROP_IN"
  # The file that is included comes first: a line that includes nothing would keep everybody out.
  put_file "$release/deploy/sshd/pam-edge-fea" "$PAM_FILE"
  if ! grep -Fxq "$PAM_LINE" "$PAM_SSHD"; then
    { cat "$PAM_SSHD" && printf '%s\n' "$PAM_LINE"; } >"$SCRATCH/pam-sshd"
    put_file "$SCRATCH/pam-sshd" "$PAM_SSHD"
  fi
  reload_sshd
  fine "keys go to $SETTINGS_FOLDER/clinicians"
}

reload_sshd() {
  dry && return
  # sshd wants this folder, which its own unit makes.
  install -d -m 0755 /run/sshd
  # With a key of its own: in an image that is being built there is no host's yet.
  [[ -f $SCRATCH/host ]] || ssh-keygen -q -t ed25519 -N '' -f "$SCRATCH/host"
  if ! /usr/sbin/sshd -t -h "$SCRATCH/host"; then
    remove_ssh
    die "$EX_SETTINGS" "sshd does not accept $SSHD_DROP_IN: it was taken out again"
  fi
  if booted && systemctl --quiet is-active ssh.service; then
    systemctl reload ssh.service
  fi
}

remove_ssh() {
  # The other way round than they came.
  if [[ -f $PAM_SSHD ]] && grep -Fxq "$PAM_LINE" "$PAM_SSHD"; then
    grep -Fxv "$PAM_LINE" "$PAM_SSHD" >"$SCRATCH/pam-sshd"
    put_file "$SCRATCH/pam-sshd" "$PAM_SSHD"
  fi
  remove_file "$PAM_FILE"
  remove_file "$SSHD_DROP_IN"
}

# The kernel's memory controller, which Raspberry Pi OS has switched off: without it the service's
# memory limit, and that it is never swapped out, are words only, and pictures may reach the card.
# enable_memory_controller [COMMAND_LINE [CONTROLLERS]]
# shellcheck disable=SC2119,SC2120
enable_memory_controller() {
  local file=${1:-/boot/firmware/cmdline.txt}
  step 'The memory limit'
  if grep -qw memory "${2:-/sys/fs/cgroup/cgroup.controllers}" 2>/dev/null; then
    fine 'the kernel keeps it'
  elif [[ ! -f $file ]]; then
    warn "the kernel does not keep the service's memory limit, and there is no $file to say so"
  elif grep -qw 'cgroup_enable=memory' "$file"; then
    fine "$file says it already: it holds from the next start on"
  else
    # One line, however it ends.
    printf '%s cgroup_enable=memory\n' "$(tr -d '\n' <"$file" | sed 's/ *$//')" \
      >"$SCRATCH/cmdline.txt"
    if dry; then
      say "would add cgroup_enable=memory to $file"
      return
    fi
    [[ -e $file.before-edge-fea ]] || cp "$file" "$file.before-edge-fea"
    say "adding cgroup_enable=memory to $file (the former one: $file.before-edge-fea)"
    cp "$SCRATCH/cmdline.txt" "$file.new"
    sync "$file.new"
    mv -T "$file.new" "$file"
    warn 'restart the device once: until then the service has no memory limit, and its pictures in' \
      "memory may be swapped out to the card"
  fi
}
