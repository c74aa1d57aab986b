# shellcheck shell=bash
# The files that somebody may put onto the boot partition of a ready card, for first-boot.sh. On a
# Raspberry Pi OS of Raspberry Pi's own, Raspberry Pi Imager does what the last three do.

readonly ZONES=${ZONES:-/usr/share/zoneinfo}
readonly ETC=${ETC:-/etc}
readonly WIFI=${WIFI:-/var/lib/iwd}
# Of what was not taken.
PROBLEMS=()

take_boot_files() {
  local problem=$BOOT/edge-fea-problem.txt
  take_file edge-fea.toml take_settings keep
  take_file edge-fea-keys.txt take_keys remove
  take_file edge-fea-timezone.txt take_zone remove
  take_file edge-fea-wifi.txt take_wifi remove
  if ((${#PROBLEMS[@]} == 0)); then
    rm -f "$problem"
    sync -f "$BOOT"
    return
  fi
  # The boot partition can be read on any computer, and is FAT: written anew and synced, then renamed.
  printf '%s\r\n' "${PROBLEMS[@]//$'\n'/$'\r\n'}" >"$problem.new"
  sync "$problem.new"
  mv -T "$problem.new" "$problem"
  sync -f "$BOOT"
  die "$EX_SETTINGS" "${PROBLEMS[*]}"
}

# take_file NAME FUNCTION keep|remove: the function gets a copy, and says what is wrong with it.
take_file() {
  local name=$1 function=$2 then=$3 copy=$SCRATCH/$1 said
  [[ -f $BOOT/$name ]] || return 0
  # From a computer with Windows: line ends, and a mark at the beginning. The copy is what is checked.
  sed -e '1s/^\xEF\xBB\xBF//' -e 's/\r$//' "$BOOT/$name" >"$copy"
  if ! said=$("$function" "$copy" 2>&1); then
    PROBLEMS+=("$name was not taken, and the device goes on with what it had. It says:" ''
      "${said//"$SCRATCH/"/}" '' 'Mend it, and start the device again.' '')
    return 0
  fi
  [[ -z $said ]] || say "$said"
  # What was taken is on the disk before the card's own goes: a plug pulled now must not lose both.
  sync
  # Only once: what is changed on the device later is not undone by the next start. Keys, networks and
  # their words do not stay where any computer reads them.
  if [[ $then == keep ]]; then
    mv -T "$BOOT/$name" "$BOOT/$name.taken"
  else
    rm -f "$BOOT/$name"
  fi
}

take_settings() {
  # As the service's user: what it may not read or write shows here.
  chmod 0644 "$1"
  chmod 0755 "$SCRATCH"
  as_account "$OPT/bin/edge-fea" config check "$1" || return 1
  put_file "$1" "$SETTINGS"
}

# The operator is whom the image was made with: the first account of a person.
operator() { getent passwd 1000; }

# checked_keys FILE: the keys in it. Nothing but keys: no options, which could name commands.
checked_keys() {
  local line
  # Notepad ends the last line with nothing; `read` has it, and says no.
  while read -r line || [[ -n $line ]]; do
    [[ -n $line && $line != '#'* ]] || continue
    if [[ ! $line =~ ^(ssh-(ed25519|rsa)|ecdsa-sha2-|sk-(ssh|ecdsa)-) ]] ||
      ! ssh-keygen -l -f - <<<"$line" >/dev/null 2>&1; then
      say "this line is no public SSH key: $line" >&2
      return 1
    fi
    printf '%s\n' "$line"
  done <"$1"
}

take_keys() {
  local name home
  IFS=: read -r name _ _ _ _ home _ < <(operator) || true
  [[ -n ${name:-} && -d ${home:-} ]] || {
    say 'this system has no account of an operator'
    return 1
  }
  checked_keys "$1" >"$SCRATCH/keys" || return 1
  [[ -s $SCRATCH/keys ]] || {
    say 'it holds no key'
    return 1
  }
  # As the account: it could have put a link there. Keys that are there already stay.
  # shellcheck disable=SC2016 # the inner shell's own words
  runuser -u "$name" -- sh -euc 'umask 077; mkdir -p "$1"; cd "$1"; touch authorized_keys
    { awk 1 authorized_keys; grep -Fxv -f authorized_keys || true; } >authorized_keys.new
    sync authorized_keys.new; mv authorized_keys.new authorized_keys' \
    sh "$home/.ssh" <"$SCRATCH/keys" || return 1
  say "keys of $name: $(wc -l <"$SCRATCH/keys")"
}

take_zone() {
  local zone
  zone=$(grep -m 1 . "$1") || {
    say 'it is empty'
    return 1
  }
  if [[ ! $zone =~ ^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$ || ! -f $ZONES/$zone ]]; then
    say "there is no time zone $zone: write one such as Europe/Berlin"
    return 1
  fi
  ln -sfn "$ZONES/$zone" "$ETC/localtime.edge-fea-new" &&
    mv -T "$ETC/localtime.edge-fea-new" "$ETC/localtime" &&
    printf '%s\n' "$zone" >"$ETC/timezone" || return 1
  say "time zone $zone"
}

# For iwd, which the image has; its country is the image's (IGconf_ieee80211_regdom).
take_wifi() {
  local ssid words name
  ssid=$(sed -n 's/^ssid=//p' "$1" | head -1)
  words=$(sed -n 's/^passphrase=//p' "$1" | head -1)
  # What is wrong is told without the words themselves.
  LC_ALL=C
  ((${#ssid} >= 1 && ${#ssid} <= 32)) || {
    say 'the line ssid=NAME is missing, or its name is longer than 32 bytes'
    return 1
  }
  [[ $words =~ ^[\!-~][\ -~]{6,61}[\!-~]$ ]] || {
    say 'the line passphrase=WORDS is missing, or WORDS are not 8 to 63 plain characters that begin and' \
      'end with no space'
    return 1
  }
  [[ -d $WIFI ]] || {
    say "this system has no iwd ($WIFI): set the network up by hand"
    return 1
  }
  # So iwd names its files: others than plain letters in hexadecimal.
  name=$ssid
  [[ $ssid =~ ^[A-Za-z0-9_\ -]+$ ]] || name="=$(printf '%s' "$ssid" | od -An -v -tx1 | tr -d ' \n')"
  # To iwd a backslash begins an escape, as in other settings files.
  words=${words//\\/\\\\}
  (umask 077 && printf '[Security]\nPassphrase=%s\n' "$words" >"$WIFI/$name.psk.new") &&
    mv -T "$WIFI/$name.psk.new" "$WIFI/$name.psk" || return 1
  say "network $ssid"
}
