# shellcheck shell=bash
# From one release to another, and back where the new one does not do at least as well.

readonly START_SECONDS=120
# How long whoever reads the database is waited for, before it is put back. A clinician's session may
# take a quarter of an hour; that long is waited only where the release cannot do without.
RESTORE_SECONDS=${RESTORE_SECONDS:-180}
RESTORE_SECONDS_AT_MOST=${RESTORE_SECONDS_AT_MOST:-1200}
# Each try copies the database: the card is not to be written all the time.
RESTORE_PAUSE=${RESTORE_PAUSE:-15}

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
  outlast_connection
  stop_service
  if ! backup=$(back_up "$old"); then
    start_service "$START_SECONDS" || true
    die "$EX_ROLLED_BACK" "the database could not be backed up (see above): ${old##*/} goes on"
  fi
  keep_backup_of "$old" "$backup"
  arm_next_start "$new"
  mark_unfinished "$old" "$new" "$backup"
  use_release "$new"
  if ! start_and_compare "$was_active" "$before"; then
    journal_tail
    roll_back "$old" "$backup" always
    dry || rm -rf -- "$new"
    die "$EX_ROLLED_BACK" "${new##*/} did not do as well as ${old##*/}, which is back"
  fi
  forget_unfinished
  prune_releases
  dry || fine "${new##*/} is in use; ${old##*/} is kept (upgrade.sh --roll-back)"
}

# database_of RELEASE: where the settings, as that release reads them, have the database.
database_of() {
  local said path
  said=$(as_account "$1/bin/edge-fea" config 2>"$SCRATCH/database") || {
    cat "$SCRATCH/database" >&2
    return 1
  }
  path=$(sed -n 's/^store\.database = "\([^"\\]*\)"  # .*$/\1/p' <<<"$said")
  if [[ $path != /* ]]; then
    say "XX  store.database is not a plain path from the root, as backups of it need: $SETTINGS" >&2
    return 1
  fi
  printf '%s\n' "$path"
}

# A copy of the database by the release that wrote it, while nothing records. Its folder.
back_up() {
  local old=$1 database note=()
  if dry; then
    say "would back up the database to $BACKUPS" >&2
    return
  fi
  database=$(database_of "$old") || return 1
  [[ -f $database ]] || return 0
  # An earlier release has no such option.
  [[ $(as_account "$old/bin/edge-fea" backup --help) != *--before-upgrade* ]] ||
    note=(--before-upgrade)
  # It says that this is the same disk: against an upgrade gone wrong that is good enough.
  as_account "$old/bin/edge-fea" backup "${note[@]}" --to "$BACKUPS" --keep 1 \
    >"$SCRATCH/backed-up" 2>"$SCRATCH/backup" || {
    cat "$SCRATCH/backup" >&2
    return 1
  }
  cat "$SCRATCH/backed-up" >&2
  written_backup <"$SCRATCH/backed-up" || {
    say "XX  \`edge-fea backup\` did not say which folder it wrote" >&2
    return 1
  }
}

# The folder that `edge-fea backup` says it wrote. Its name alone tells: there may be others, of a
# device id that was changed, or of a time before the clock went back.
written_backup() {
  local path
  path=$(sed -n "s|^\($BACKUPS/edge-fea-[^:/]*\): .*, checked\$|\1|p")
  [[ -n $path && -d $path ]] || return 1
  printf '%s\n' "$path"
}

# keep_backup_of RELEASE BACKUP: which one belongs to it, for --roll-back.
keep_backup_of() {
  dry && return
  printf '%s\n' "$2" >"$1/BACKUP.new"
  mv -T "$1/BACKUP.new" "$1/BACKUP"
}

# The backup that belongs to a release; empty where none was made.
backup_of() {
  [[ -f $1/BACKUP ]] || return 0
  cat "$1/BACKUP"
}

# arm_next_start NEW: the unit that takes an upgrade back that a pulled plug cuts off is there before
# there is anything to take back.
arm_next_start() {
  local unit=edge-fea-upgrade.service
  ! dry || return 0
  [[ -f $1/systemd/$unit ]] || return 0
  put_file "$1/systemd/$unit" "$UNITS/$unit"
  systemctl --quiet enable "$unit"
  sync -f "$UNITS"
}

mark_unfinished() {
  dry && return
  printf '%s\n%s\n%s\n' "$@" >"$UNFINISHED.new"
  sync "$UNFINISHED.new"
  HALF_WAY=yes
  mv -T "$UNFINISHED.new" "$UNFINISHED"
}

# On the disk too, or a plug that is pulled later would have an upgrade taken back that is long proved.
forget_unfinished() {
  run rm -f -- "$UNFINISHED"
  dry || sync -f "$OPT"
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
  local to=$1 backup=$2 when=$3 readable=yes
  outlast_connection
  step "Back to ${to##*/}"
  stop_service
  # Also where the new release had ended by itself.
  ! booted || [[ $AT_START == yes ]] || STOPPED=yes
  use_release "$to"
  can_read "$to" || readable=no
  if [[ -n $backup ]] && [[ $when == always || $readable == no ]]; then
    put_back "$to" "$backup" "$readable"
  fi
  forget_unfinished
  start_service "$START_SECONDS" || warn 'the service has not started yet: journalctl -u edge-fea'
}

# put_back RELEASE BACKUP READABLE: recording matters more than which of two databases it goes on
# with, as long as the release can read it.
put_back() {
  local to=$1 backup=$2 readable=$3 patience=$RESTORE_SECONDS
  [[ $readable == yes ]] || patience=$RESTORE_SECONDS_AT_MOST
  ! restore_within "$patience" "$to" "$backup" || return 0
  if [[ $readable == yes ]]; then
    warn "the backup $backup was not put back (see above): ${to##*/} goes on with the database as it" \
      'is, which it can read. docs/backup.md tells how to put it back by hand'
    return
  fi
  STOPPED=no HALF_WAY=no
  # systemd starts the service after this all the same.
  [[ $AT_START == no ]] ||
    die "$EX_STUCK" "the backup $backup could not be put back (see above), and ${to##*/} cannot read" \
      'the database as it is: the service is started, and records nothing. Restart the device: it is' \
      'tried again. By hand: docs/backup.md'
  die "$EX_STUCK" "the backup $backup could not be put back (see above), and ${to##*/} cannot read the" \
    'database as it is: the service is stopped. Restart the device: it is tried again at the start.' \
    'By hand: docs/backup.md'
}

# restore_within SECONDS RELEASE BACKUP: whoever reads the database, such as a clinician's session, is
# waited for.
restore_within() {
  local ends=$((SECONDS + $1)) code told=no
  while true; do
    code=0
    # Not to a connection that may be lost: it would fail for want of a reader.
    as_account "$2/bin/edge-fea" restore --yes "$3" \
      >"$SCRATCH/restored" 2>"$SCRATCH/restore" || code=$?
    cat "$SCRATCH/restored" || true
    cat "$SCRATCH/restore" >&2 || true
    [[ $code -eq $EX_BUSY ]] || return "$code"
    ((SECONDS < ends)) || return "$code"
    if [[ $told == no ]]; then
      say "somebody reads the database; waiting for up to $1 s until it can be put back"
      told=yes
    fi
    sleep "$RESTORE_PAUSE"
  done
}

# can_read RELEASE: whether a newer one has brought the database up to where this one cannot follow.
can_read() {
  local said
  dry && return
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
  HALF_WAY=yes
  roll_back "$old" "$backup" if-needed
}

# At the start, before the service: systemd starts it when this has ended, and it is not waited for.
finish_at_start() {
  AT_START=yes
  finish_unfinished
}

# By hand: to the release before, and once more back again.
roll_back_by_hand() {
  local to backup
  to=$(linked previous)
  [[ -n $to && -f $to/COMPLETE ]] || die "$EX_MISSING" 'there is no previous release to go back to'
  verify_release "$to" || die "$EX_SETTINGS" "${to##*/} does not do (see above): nothing was changed"
  backup=$(backup_of "$to")
  if ! can_read "$to" && [[ ! -d $backup ]]; then
    die "$EX_MISSING" "${to##*/} cannot read the database as it is, and the backup that belongs to it" \
      "(${backup:-none was made}) is not there: nothing was changed"
  fi
  roll_back "$to" "$backup" if-needed
  fine "${to##*/} is in use"
}
