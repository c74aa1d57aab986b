#!/usr/bin/env bash
# Makes a bundle: all that install.sh --offline needs but Debian's own packages. Twice from the same
# commit gives the same bytes. See docs/install.md.
set -euo pipefail
umask 022

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
HELP='usage: deploy/make-bundle.sh [options]

  --arch NAME      arm64 (the default) or amd64
  --suite NAME     bookworm or trixie; again for the other one; otherwise both
  --debs FOLDER    a folder with bookworm/*.deb or trixie/*.deb that goes into the bundle
  --folder FOLDER  leave the bundle there, as a folder; otherwise a .tar
  --output FOLDER  where the .tar goes; otherwise dist'

ARCH=arm64 SUITES=() DEBS='' FOLDER='' OUTPUT=$ROOT/dist

die() {
  printf 'XX  %s\n' "$*" >&2
  exit 1
}

while (($#)); do
  [[ $1 == --help || -n ${2:-} ]] || die "$1 needs a value"
  case $1 in
    --arch) ARCH=$2 ;;
    --suite) SUITES+=("$2") ;;
    --debs) DEBS=$(realpath "$2") ;;
    --folder) FOLDER=$2 ;;
    --output) OUTPUT=$2 ;;
    --help)
      printf '%s\n' "$HELP"
      exit 0
      ;;
    *) die "there is no option $1" ;;
  esac
  shift 2
done
((${#SUITES[@]})) || SUITES=(bookworm trixie)
if [[ -n $DEBS ]]; then
  for suite in "${SUITES[@]}"; do compgen -G "$DEBS/$suite/*.deb" && break; done >/dev/null ||
    die "there are no Debian packages (*.deb) in $DEBS/${SUITES[0]} or such a folder"
fi
case $ARCH in
  arm64) MACHINE=aarch64 ;;
  amd64) MACHINE=x86_64 ;;
  *) die "there is no bundle for $ARCH, only for arm64 and amd64" ;;
esac

WORK=$(mktemp -d "${TMPDIR:-/var/tmp}/edge-fea-bundle.XXXXXX")
trap 'rm -rf -- "$WORK"' EXIT
VERSION=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' "$ROOT/edge_fea/__init__.py")
NAME=edge-fea-$VERSION-$ARCH
BUNDLE=$WORK/$NAME
# Times in wheels and archives: the commit's; without git, that of the version's list of changes.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$ROOT" log -1 --format=%ct 2>/dev/null ||
  stat -c %Y "$ROOT/CHANGELOG.md")}
export SOURCE_DATE_EPOCH PYTHONHASHSEED=0
PIP=("$WORK/env/bin/python" -m pip --disable-pip-version-check --quiet)

# The tools that make wheels, by their hashes too.
make_tools() {
  local python
  python=$(for each in python3 python3.13 python3.12 python3.11; do
    "$each" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null &&
      printf '%s' "$each" && break
  done) || die 'there is no Python 3.11 to 3.13'
  "$python" -m venv "$WORK/env" || die 'python3-venv is missing: apt install python3-venv'
  "${PIP[@]}" install --require-hashes --only-binary :all: -r "$ROOT/deploy/requirements/build.txt"
}

# fetch_wheels SUITE PYTHON GLIBC: what the lock names, for another machine than this one perhaps.
fetch_wheels() {
  local suite=$1 python=$2 glibc=$3 minor platforms=(--platform "manylinux2014_$MACHINE")
  local fetched=$WORK/fetched-$suite
  for ((minor = 17; minor <= glibc; minor++)); do
    platforms+=(--platform "manylinux_2_${minor}_$MACHINE")
  done
  mkdir "$fetched"
  # sdnotify is published as source only; everything else must be a wheel.
  "${PIP[@]}" download --dest "$fetched" --require-hashes --no-deps --no-build-isolation \
    --only-binary :all: --no-binary sdnotify --implementation cp --python-version "$python" \
    --abi "cp$python" --abi abi3 --abi none "${platforms[@]}" \
    -r "$ROOT/deploy/requirements/$suite.txt"
  "${PIP[@]}" wheel --wheel-dir "$fetched" --no-deps --no-build-isolation "$fetched"/sdnotify-*.tar.gz
  rm "$fetched"/sdnotify-*.tar.gz
  cp "$WORK"/own/*.whl "$fetched/"
  pin "$fetched" >"$BUNDLE/requirements/$suite.txt"
  cp -u "$fetched"/*.whl "$BUNDLE/wheels/"
}

# pin FOLDER: a requirement for each wheel, with its hash.
pin() {
  local wheel name version
  for wheel in "$1"/*.whl; do
    IFS=- read -r name version _ <<<"${wheel##*/}"
    printf '%s==%s --hash=sha256:%s\n' "$name" "$version" "$(sha256sum <"$wheel" | cut -d ' ' -f 1)"
  done
}

printf 'making %s for %s\n' "$NAME" "${SUITES[*]}"
mkdir -p "$BUNDLE/wheels" "$BUNDLE/requirements"
make_tools
# From a copy: building leaves nothing in the source, and takes nothing that is not part of it.
mkdir "$WORK/source" "$WORK/own"
(cd "$ROOT" && tar -c --exclude=__pycache__ pyproject.toml README.md LICENSE edge_fea deploy \
  models/README.md models/*.json models/*.tflite) | tar -x -C "$WORK/source"
"${PIP[@]}" wheel --wheel-dir "$WORK/own" --no-deps --no-build-isolation "$WORK/source"
for suite in "${SUITES[@]}"; do
  case $suite in
    bookworm) fetch_wheels bookworm 311 36 ;;
    trixie) fetch_wheels trixie 313 41 ;;
    *) die "there is no bundle for $suite, only for bookworm and trixie" ;;
  esac
done
(cd "$ROOT" && tar -c --exclude=__pycache__ deploy systemd docs LICENSE CHANGELOG.md README.md) |
  tar -x -C "$BUNDLE"
if [[ -n $DEBS ]]; then
  mkdir "$BUNDLE/debs"
  for suite in "${SUITES[@]}"; do
    [[ -d $DEBS/$suite ]] || continue
    mkdir "$BUNDLE/debs/$suite"
    # Not what apt-get keeps beside them, which is not for every user.
    cp "$DEBS/$suite"/*.deb "$BUNDLE/debs/$suite/"
  done
fi
printf '%s\n' "$VERSION" >"$BUNDLE/RELEASE"
printf '%s\n' "$ARCH" >"$BUNDLE/ARCHITECTURE"
chmod -R u+rwX,go+rX,go-w "$BUNDLE"
(cd "$BUNDLE" && find . -type f ! -name SHA256SUMS -print0 | LC_ALL=C sort -z |
  xargs -0 sha256sum) >"$WORK/SHA256SUMS"
mv "$WORK/SHA256SUMS" "$BUNDLE/SHA256SUMS"
if [[ -n $FOLDER ]]; then
  mkdir -p "$(dirname "$FOLDER")"
  mv -T "$BUNDLE" "$FOLDER"
  printf '%s\n' "$FOLDER"
  exit
fi
mkdir -p "$OUTPUT"
tar -c --format=gnu --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
  -C "$WORK" -f "$OUTPUT/$NAME.tar.new" "$NAME"
mv "$OUTPUT/$NAME.tar.new" "$OUTPUT/$NAME.tar"
printf '%s, %s MB\n' "$OUTPUT/$NAME.tar" "$(du -m "$OUTPUT/$NAME.tar" | cut -f 1)"
