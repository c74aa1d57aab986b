# shellcheck shell=bash
# Releases: each is a virtual environment of its own below /opt/edge-fea/releases, with the units and
# rules that belong to it. `current` names the one that is used; switching is one rename.

# Set by open_bundle and place_release.
BUNDLE=
RELEASE=

# open_bundle [PATH]: a bundle (folder or .tar), checked; without one, it is made here from the
# network, with the same hashes.
open_bundle() {
  local given=${1:-} root=$2 called
  called=${given:-what was made here}
  step 'The release'
  make_scratch
  if [[ -z $given ]]; then
    make_own_bundle "$root"
    # Of a dry run the rest is told from the source itself.
    ! dry || return 0
  elif [[ -d $given ]]; then
    BUNDLE=$(realpath "$given")
  elif [[ -f $given ]]; then
    check_room "${SCRATCH%/*}" "$(($(stat -c %s "$given") / 1048576 + 10))" "unpacking $given"
    say "unpacking $given"
    mkdir "$SCRATCH/bundle"
    tar -xf "$given" --no-same-owner --strip-components=1 -C "$SCRATCH/bundle" ||
      die "$EX_BUNDLE" "$given cannot be unpacked: copy it once more"
    BUNDLE=$SCRATCH/bundle
  else
    die "$EX_MISSING" "there is no bundle $given"
  fi
  [[ -f $BUNDLE/SHA256SUMS && -f $BUNDLE/RELEASE ]] ||
    die "$EX_BUNDLE" "$called is no bundle of edge-fea: it has no SHA256SUMS and RELEASE"
  (cd "$BUNDLE" && sha256sum --quiet --strict --check SHA256SUMS) ||
    die "$EX_BUNDLE" "$called is not what was made: copy it once more. Nothing was changed"
  [[ -f $BUNDLE/requirements/$SUITE.txt ]] ||
    die "$EX_BUNDLE" "$called is not for $SUITE: make it with \`make bundle\`"
  grep -qx "$(dpkg --print-architecture)" "$BUNDLE/ARCHITECTURE" ||
    die "$EX_BUNDLE" "$called is for $(cat "$BUNDLE/ARCHITECTURE"), not for this machine"
  RELEASE=$RELEASES/$(release_name)
  fine "edge-fea $(cat "$BUNDLE/RELEASE")"
}

make_own_bundle() {
  local root=$1
  if [[ ! -f $root/pyproject.toml ]]; then
    die "$EX_USAGE" "this is a bundle, not the source: give --offline $root"
  fi
  if dry; then
    say "would fetch the wheels that deploy/requirements/$SUITE.txt names, by their hashes"
    BUNDLE=$root
    RELEASE=$RELEASES/$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' "$root/edge_fea/__init__.py")-new
    return
  fi
  check_room "${SCRATCH%/*}" "$FETCHED_MB" 'fetching the wheels'
  "$root/deploy/make-bundle.sh" --arch "$(dpkg --print-architecture)" --suite "$SUITE" \
    --folder "$SCRATCH/bundle" || die "$EX_DOWNLOAD" 'the wheels could not be fetched: see above'
  BUNDLE=$SCRATCH/bundle
}

# The version and what is in it: two builds of one version are two releases.
release_name() {
  printf '%s-%s' "$(cat "$BUNDLE/RELEASE")" "$(sha256sum <"$BUNDLE/SHA256SUMS" | cut -c 1-8)"
}

# The release that a link (current, previous) means; empty where there is none.
linked() {
  [[ -L $OPT/$1 ]] || return 0
  readlink -f "$OPT/$1" || true
}

# Builds the release beside the others. Whoever runs from another one notices nothing.
place_release() {
  if [[ -f $RELEASE/COMPLETE ]]; then
    fine "$RELEASE is there already"
    return
  fi
  say "making $RELEASE"
  dry && return
  # What a pulled plug left of it.
  rm -rf -- "$RELEASE"
  install -d -m 0755 "$OPT" "$RELEASES"
  # Without pip: the bundle's own fills it, and Debian's need not be installed.
  "$PYTHON" -m venv --system-site-packages --without-pip "$RELEASE"
  local pip
  pip=$(echo "$BUNDLE"/wheels/pip-*.whl)
  # Nothing from the network, nothing that the hashes do not name, no settings of pip's.
  if ! PIP_CONFIG_FILE=/dev/null PYTHONDONTWRITEBYTECODE=1 "$RELEASE/bin/python" "$pip/pip" \
    --isolated --disable-pip-version-check --no-cache-dir --quiet install --ignore-installed \
    --no-index --find-links "$BUNDLE/wheels" --no-deps --only-binary :all: --require-hashes \
    --root-user-action ignore -r "$BUNDLE/requirements/$SUITE.txt"; then
    rm -rf -- "$RELEASE"
    die "$EX_BUNDLE" 'the wheels of the bundle could not be installed: see above'
  fi
  cp -R "$BUNDLE/deploy" "$BUNDLE/systemd" "$BUNDLE/RELEASE" "$RELEASE/"
  chown -R root:root "$RELEASE"
  chmod -R u+rwX,go+rX,go-w "$RELEASE"
  sync -f "$RELEASE"
  touch "$RELEASE/COMPLETE"
  fine "$RELEASE, $(du -sm "$RELEASE" | cut -f 1) MB"
}

# verify_release RELEASE: by itself, before anything else uses it.
verify_release() {
  local edge_fea=$1/bin/edge-fea
  dry && return
  as_account "$edge_fea" model >"$SCRATCH/model" 2>&1 || {
    cat "$SCRATCH/model" >&2
    return 1
  }
  if [[ -f $SETTINGS ]]; then
    as_account "$edge_fea" config check "$SETTINGS" >"$SCRATCH/config" 2>&1 || {
      cat "$SCRATCH/config" >&2
      return 1
    }
  fi
  if [[ $IS_PI == yes ]] && ! as_account "$1/bin/python" -c 'import picamera2' \
    >"$SCRATCH/picamera2" 2>&1; then
    tail -1 "$SCRATCH/picamera2" >&2
    warn 'python3-picamera2 does not work in this release: there will be no Pi camera'
  fi
  fine "$(basename "$1") computes what was measured, and accepts the settings"
}

# use_release RELEASE: from the next start on.
use_release() {
  local before
  before=$(linked current)
  if [[ -n $before && $before != "$1" ]]; then
    link "releases/${before##*/}" "$OPT/previous"
  fi
  link "releases/${1##*/}" "$OPT/current"
  apply_system "$1"
  dry || sync -f "$OPT"
}

# Only the current release and the one before stay.
prune_releases() {
  local each
  for each in "$RELEASES"/*; do
    [[ -d $each ]] || continue
    case $each in
      "$(linked current)" | "$(linked previous)") ;;
      *) remove_tree "$each" ;;
    esac
  done
}
