# shellcheck shell=bash
# Taking edge-fea off. The Debian package's scripts carry this file too.

confirm_purge() {
  local answer
  say "--purge removes $DATA, $BACKUPS and $SETTINGS_FOLDER: every clip that was recorded here, the"
  say "audit trail, the settings and the device's key. Nothing brings them back."
  [[ $YES == no ]] && ! dry || return 0
  [[ -t 0 ]] || die "$EX_REFUSED" 'nobody is there to say yes: --yes says it'
  read -r -p 'Type yes to go on: ' answer
  [[ $answer == yes ]] || die "$EX_REFUSED" 'nothing was changed'
}

remove_program() {
  local unit name
  step 'Program'
  for unit in "$UNITS"/edge-fea*.{service,timer,path}; do
    [[ -f $unit ]] || continue
    name=${unit##*/}
    # A template has no instance of its own.
    if [[ $name == *@* ]]; then
      ! booted || run systemctl stop "${name/@/@*}"
    elif booted; then
      run systemctl --quiet disable --now "$name"
    else
      run systemctl --quiet disable "$name"
    fi
    remove_file "$unit"
  done
  remove_ssh
  if getent passwd "$CLINICIAN" >/dev/null && [[ -d $CLINICIAN_CACHE ]]; then
    run userdel "$CLINICIAN"
  fi
  remove_tree "$CLINICIAN_CACHE"
  for unit in "$UDEV_RULES"/6[0-9]-edge-fea-*.rules; do
    remove_file "$unit"
  done
  reload_system
  if booted; then
    run systemctl reset-failed 'edge-fea*'
    # sshd must no longer name a command that is gone.
    ! systemctl --quiet is-active ssh.service || run systemctl reload ssh.service
  fi
  remove_file "$COMMAND"
  remove_tree "$OPT"
}

keep_data() {
  say "kept: $DATA (records, audit trail, keys), $BACKUPS, $SETTINGS_FOLDER, the user $ACCOUNT."
  say 'The parameter cgroup_enable=memory and what apt installed stay as well.'
}

purge_data() {
  step 'Records and settings'
  remove_tree "$DATA"
  remove_tree "$BACKUPS"
  remove_tree "$SETTINGS_FOLDER"
  ! getent passwd "$ACCOUNT" >/dev/null || run userdel "$ACCOUNT"
}
