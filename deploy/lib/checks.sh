# shellcheck shell=bash
# What edge-fea needs of a machine. What cannot work ends the run; the rest is told.

# Set by the checks: bookworm or trixie, whose wheels fit this system's Python.
SUITE=
ANY_MACHINE=${ANY_MACHINE:-no}
# Whether it is a Raspberry Pi, which the camera's packages are for.
IS_PI=no
PYTHON=/usr/bin/python3

# A release takes about 460; what is fetched from the network before it, 300 for one system.
readonly RELEASE_MB=700 FETCHED_MB=400 SETTINGS_MB=20
readonly WANTED_DATA_MB=500

check_machine() {
  step 'This machine'
  check_architecture "$(dpkg --print-architecture)"
  check_model "$(tr -d '\0' 2>/dev/null </proc/device-tree/model || true)"
  check_system /etc/os-release
  check_python
  check_data_room
  check_camera
  [[ $IS_PI == no ]] || check_heaps /dev/dma_heap
  check_zone
}

# check_architecture NAME, as dpkg names it: of the programs, not of the kernel, which is often a
# 64-bit one under a 32-bit Raspberry Pi OS.
check_architecture() {
  case $1 in
    arm64) fine "64-bit system ($1)" ;;
    armhf | armel)
      die "$EX_MACHINE" "this is a 32-bit system ($1), and edge-fea needs a 64-bit one." \
        'Write "Raspberry Pi OS (64-bit)" or "Raspberry Pi OS Lite (64-bit)", Bookworm or Trixie,' \
        'to the card with Raspberry Pi Imager, and install edge-fea there. Nothing was changed.'
      ;;
    amd64)
      [[ $ANY_MACHINE == yes ]] ||
        die "$EX_MACHINE" "this is no Raspberry Pi but a PC ($1): --any-machine installs all the same"
      fine "64-bit PC ($1), because of --any-machine"
      ;;
    *) die "$EX_MACHINE" "there is no edge-fea for $1, only for 64-bit Raspberry Pis and PCs" ;;
  esac
}

# check_model NAME, as the board's device tree has it; empty where there is none.
check_model() {
  local model=$1
  case $model in
    'Raspberry Pi 3'* | 'Raspberry Pi 4'* | 'Raspberry Pi 5'* | 'Raspberry Pi Zero 2'* | \
      'Raspberry Pi Compute Module 3'* | 'Raspberry Pi Compute Module 4'* | \
      'Raspberry Pi Compute Module 5'*)
      IS_PI=yes
      fine "$model"
      ;;
    *)
      [[ $ANY_MACHINE == yes ]] ||
        die "$EX_MACHINE" "this is ${model:-no Raspberry Pi}: edge-fea needs a Raspberry Pi 3 or" \
          'later, or a Zero 2 W. --any-machine installs all the same, for trying it on a PC.'
      fine "${model:-no Raspberry Pi}, because of --any-machine"
      ;;
  esac
}

# check_system FILE: what /etc/os-release says.
check_system() {
  local name
  SUITE=$(sed -n 's/^VERSION_CODENAME="\{0,1\}\([a-z]*\)"\{0,1\}$/\1/p' "$1")
  name=$(sed -n 's/^PRETTY_NAME="\(.*\)"$/\1/p' "$1")
  case $SUITE in
    bookworm | trixie) fine "$name" ;;
    *)
      die "$EX_MACHINE" "this is ${name:-an unknown system}: edge-fea needs Raspberry Pi OS" \
        '(64-bit), or Debian, of the release Bookworm (12) or Trixie (13)'
      ;;
  esac
}

check_python() {
  local version
  [[ -x $PYTHON ]] || die "$EX_MACHINE" "there is no $PYTHON: sudo apt install python3"
  version=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  case $SUITE:$version in
    bookworm:3.11 | trixie:3.13) fine "Python $version" ;;
    *)
      die "$EX_MACHINE" "$PYTHON is Python $version: edge-fea needs the release's own," \
        '3.11 on Bookworm or 3.13 on Trixie'
      ;;
  esac
}

free_mb() {
  local place=$1
  while [[ ! -d $place ]]; do place=$(dirname "$place"); done
  df --output=avail --block-size=1M "$place" | tail -1 | tr -d ' '
}

# check_room FOLDER MB WHAT: what will be written has room there.
check_room() {
  local free
  free=$(free_mb "$1")
  ((free >= $2)) || die "$EX_SPACE" "$1 has $free MB free, and $3 needs $2:" \
    'free some space, or take a larger card. Nothing of edge-fea was changed'
}

# A release that is there already is not written again.
check_room_for_release() {
  if [[ -f $RELEASE/COMPLETE ]]; then
    check_room "$OPT" "$SETTINGS_MB" 'putting the installation right'
  else
    check_room "$OPT" "$RELEASE_MB" 'the new release'
  fi
  fine "$(free_mb "$OPT") MB free"
}

check_data_room() {
  local data
  data=$(free_mb "$DATA")
  ((data >= WANTED_DATA_MB)) || warn "$DATA has only $data MB free for the records"
}

check_camera() {
  local tool
  for tool in rpicam-hello libcamera-hello; do
    command -v "$tool" >/dev/null || continue
    if "$tool" --list-cameras 2>&1 | grep -q '^0 :'; then
      fine 'a camera'
    else
      warn 'no camera is seen: with the power off, push its ribbon cable home at both ends'
    fi
    return
  done
  if compgen -G '/dev/video*' >/dev/null; then
    fine 'a video device; the doctor will look closer'
  else
    warn 'no camera is seen, and nothing will be recorded without one'
  fi
}

# check_heaps FOLDER: where the camera's pictures are handed over. Raspberry Pi OS opens these to the
# group video, by a rule of raspberrypi-sys-mods; where all are root's alone, no picture ever comes.
# One that is open will do, as the doctor has it.
check_heaps() {
  local heap closed=
  for heap in "$1"/*; do
    [[ -e $heap ]] || continue
    case $(stat -c '%G %A' "$heap") in
      'video '????rw*) return 0 ;;
    esac
    closed+=" ${heap##*/}"
  done
  [[ -z $closed ]] || warn "nothing in $1 is open to the group video (${closed# }), and without that" \
    'there is no picture of a Pi camera: sudo apt install raspberrypi-sys-mods, and restart the device'
}

check_zone() {
  local zone
  zone=$(readlink -f /etc/localtime || true)
  case ${zone##*/} in
    '' | UTC | UCT | Zulu | localtime)
      warn 'the time zone is UTC, and hours and days are counted in it:' \
        'sudo timedatectl set-timezone Europe/Berlin'
      ;;
    *) fine "time zone ${zone#/usr/share/zoneinfo/}" ;;
  esac
}
