# shellcheck shell=bash
# The service and the doctor, as install and upgrade use them.

readonly ALWAYS_ON=(edge-fea.service edge-fea-reboot.path edge-fea-selfcheck.timer
  edge-fea-upgrade.service)
# Whether this runs before the service at the start of the device: systemd has its start in hand, and
# would wait for us while we wait for it.
AT_START=no

is_active() { systemctl --quiet is-active edge-fea.service; }

# Whether it is there to record: also where it still waits for a camera, or for its next try.
is_wanted() {
  case $(systemctl show -P ActiveState edge-fea.service) in
    inactive | failed) return 1 ;;
  esac
}

# wait_until_active SECONDS: it is active once a first picture was handled. One that has ended three
# times meanwhile is not waited for.
wait_until_active() {
  local left=$1
  until is_active; do
    ((left-- > 0 && $(systemctl show -P NRestarts edge-fea.service) < 3)) || return 1
    sleep 1
  done
}

# Starts it and waits for its first picture; 1 where none came.
start_service() {
  booted || return 0
  [[ $AT_START == no ]] || return 0
  STOPPED=no
  # A unit that was stopped between two tries keeps its count of restarts, which is read below.
  run systemctl --quiet reset-failed edge-fea.service 2>/dev/null || true
  run systemctl start --no-block edge-fea.service edge-fea-reboot.path edge-fea-selfcheck.timer
  dry || wait_until_active "$1"
}

# What must not see the program change under it, or keeps the database open. Clinicians' sessions go on
# with the old one.
stop_service() {
  booted || return 0
  [[ $AT_START == no ]] || return 0
  dry || ! is_wanted || STOPPED=yes
  run systemctl stop edge-fea.service edge-fea-selfcheck.service edge-fea-backup.service \
    'edge-fea-usb@*.service'
}

enable_service() {
  run systemctl --quiet enable "${ALWAYS_ON[@]}"
  dry && return
  if has_backup_folder; then
    run systemctl --quiet enable edge-fea-backup.timer
    booted && run systemctl start edge-fea-backup.timer
  fi
  return 0
}

# The names of the checks that find something which does not work, one a line.
failing_checks() {
  # It ends with another code than 0 where there are any.
  { as_account "$OPT/bin/edge-fea" doctor --json 2>/dev/null || true; } |
    "$PYTHON" -c '
import json, sys
for finding in json.load(sys.stdin)["findings"]:
    if finding["state"] == "bad":
        print(finding["name"])'
}

# For people. Ends with the doctor's own code.
show_doctor() {
  step 'The device examines itself'
  as_account "$OPT/bin/edge-fea" doctor
}

# The light helps to place the device for some minutes after power-on, which an installation outlasts.
tell_placing() {
  booted || return 0
  note 'place the device: unplug it, and plug it in where it will stand; its light then helps for ten' \
    'minutes (docs/led.md). Or here: sudo systemctl stop edge-fea, sudo -u edge-fea edge-fea place'
}
