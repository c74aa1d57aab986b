# shellcheck shell=bash
# From one release to another, and back where the new one does not do at least as well.

readonly START_SECONDS=120

# upgrade OLD NEW: leaves the device with one of the two, running.
upgrade() {
  local old=$1 new=$2 was_active=no backup='' before=$SCRATCH/failing-before
  step "From ${old##*/} to ${new##*/}"
  # Refused here, nothing has been touched yet.
  verify_release "$new" || {
    [[ $(linked previous) == "$new" ]] || remove_tree "$new"
    die "$EX_ROLLED_BACK" "the self-check of ${new##*/} failed: ${old##*/} goes on, untouched"
  }
  booted && is_active && was_active=yes
  # A release whose doctor cannot be asked had better be left.
  : >"$before"
  dry || failing_checks >"$before" || true
  stop_service
  if ! backup=$(back_up "$old"); then
    start_service "$START_SECONDS" || true
    die "$EX_ROLLED_BACK" "the database could not be backed up (see above): ${old##*/} goes on"
  fi
  mark_unfinished "$old" "$new" "$backup"
  use_release "$new"
  if ! start_and_compare "$was_active" "$before"; then
    journal_tail
    roll_back "$old" "$backup" always
    dry || rm -rf -- "$new"
    die "$EX_ROLLED_BACK" "${new##*/} did not do as well as ${old##*/}, which is back"
  fi
  run rm -f -- "$UNFINISHED"
  prune_releases
  dry || fine "${new##*/} is in use; ${old##*/} is kept (upgrade.sh --roll-back)"
}

# A copy of the database by the release that wrote it, while nothing records. Its folder.
back_up() {
  local old=$1 note=()
  [[ -f $DATA/edge-fea.db ]] || return 0
  if dry; then
    say "would back up the database to $BACKUPS" >&2
    return
  fi
  # An earlier release has no such option.
  [[ $(as_account "$old/bin/edge-fea" backup --help) != *--before-upgrade* ]] ||
    note=(--before-upgrade)
  as_account "$old/bin/edge-fea" backup "${note[@]}" --to "$BACKUPS" --keep 1 \
    >&2 2>"$SCRATCH/backup" || {
    cat "$SCRATCH/backup" >&2
    return 1
  }
  # It says that this is the same disk: against an upgrade gone wrong that is good enough.
  find "$BACKUPS" -mindepth 1 -maxdepth 1 -type d -name 'edge-fea-*' | sort | tail -1
}

mark_unfinished() {
  dry && return
  printf '%s\n%s\n%s\n' "$@" >"$UNFINISHED.new"
  sync "$UNFINISHED.new"
  mv -T "$UNFINISHED.new" "$UNFINISHED"
}

# Whether the new release does what the old one did: it runs if that did, and no check of the doctor
# fails that did not fail before.
start_and_compare() {
  local was_active=$1 before=$2 worse
  dry && return
  if ! start_service "$START_SECONDS" && [[ $was_active == yes ]]; then
    say "XX  the service did not start within $START_SECONDS s"
    return 1
  fi
  failing_checks >"$SCRATCH/failing-after" || {
    say 'XX  the doctor could not be asked'
    return 1
  }
  # A backup's age and the like are not the release's doing.
  worse=$(grep -Fxv -f "$before" "$SCRATCH/failing-after" |
    grep -Ex 'units|last clip|camera|network|runtime|database|permissions|sandbox|audit trail')
  if [[ -n $worse ]]; then
    say "XX  failed only with the new release: ${worse//$'\n'/, }"
    return 1
  fi
}

journal_tail() {
  booted || return 0
  journalctl --unit edge-fea --no-pager --output cat --lines 15 || true
}

# roll_back RELEASE BACKUP always|if-needed: the database comes back where the release could not go
# on with what is there. What is there is kept beside it.
roll_back() {
  local to=$1 backup=$2 when=$3
  step "Back to ${to##*/}"
  stop_service
  # Also where the new release had ended by itself.
  ! booted || STOPPED=yes
  use_release "$to"
  if [[ -n $backup ]] && { [[ $when == always ]] || ! can_read "$to"; }; then
    if ! as_account "$to/bin/edge-fea" restore --yes "$backup"; then
      STOPPED=no
      die "$EX_STUCK" "the backup $backup could not be put back: the service is stopped. See" \
        'docs/backup.md'
    fi
  fi
  run rm -f -- "$UNFINISHED"
  start_service "$START_SECONDS" || warn 'the service has not started yet: journalctl -u edge-fea'
}

# Whether a newer release has brought the database up to where this one cannot follow.
can_read() {
  local said
  [[ -f $DATA/edge-fea.db ]] || return 0
  said=$(as_account "$1/bin/edge-fea" clips --limit 1 2>&1 >/dev/null) || true
  [[ $said != *'written by a newer edge-fea'* ]]
}

# What a plug that was pulled in the middle of an upgrade left.
finish_unfinished() {
  [[ -f $UNFINISHED ]] || return 0
  local old new backup
  { read -r old && read -r new && read -r backup; } <"$UNFINISHED" || true
  warn "an upgrade to ${new##*/} was cut off: ${old##*/} is put back first"
  dry && return
  [[ -f $old/COMPLETE ]] || die "$EX_STUCK" "$UNFINISHED names $old, which is not there"
  roll_back "$old" "$backup" if-needed
}

# By hand: to the release before, and once more back again.
roll_back_by_hand() {
  local to backup
  to=$(linked previous)
  [[ -n $to && -f $to/COMPLETE ]] || die "$EX_MISSING" 'there is no previous release to go back to'
  verify_release "$to" || die "$EX_SETTINGS" "${to##*/} does not do (see above): nothing was changed"
  backup=$(find "$BACKUPS" -mindepth 1 -maxdepth 1 -type d -name 'edge-fea-*' | sort | tail -1)
  roll_back "$to" "$backup" if-needed
  fine "${to##*/} is in use"
}
