#!/usr/bin/env bash
# Makes the Debian package: the bundle, and maintainer scripts that call its install.sh and
# uninstall.sh. One package serves Bookworm and Trixie. See docs/install.md.
set -euo pipefail
umask 022

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
HELP='usage: deploy/make-deb.sh [options]

  --bundle FILE    the bundle (folder or .tar) to pack; otherwise one is made
  --arch NAME      for the bundle that is made: arm64 (the default) or amd64
  --output FOLDER  where the .deb goes; otherwise dist'

BUNDLE='' ARCH=arm64 OUTPUT=$ROOT/dist

die() {
  printf 'XX  %s\n' "$*" >&2
  exit 1
}

while (($#)); do
  [[ $1 == --help || -n ${2:-} ]] || die "$1 needs a value"
  case $1 in
    --bundle) BUNDLE=$2 ;;
    --arch) ARCH=$2 ;;
    --output) OUTPUT=$2 ;;
    --help)
      printf '%s\n' "$HELP"
      exit 0
      ;;
    *) die "there is no option $1" ;;
  esac
  shift 2
done

WORK=$(mktemp -d "${TMPDIR:-/var/tmp}/edge-fea-deb.XXXXXX")
trap 'rm -rf -- "$WORK"' EXIT
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$ROOT" log -1 --format=%ct 2>/dev/null ||
  stat -c %Y "$ROOT/CHANGELOG.md")}
export SOURCE_DATE_EPOCH
TREE=$WORK/tree
INSIDE=$TREE/usr/lib/edge-fea/bundle
mkdir -p "${INSIDE%/*}" "$TREE/DEBIAN" "$TREE/usr/share/doc/edge-fea"
if [[ -z $BUNDLE ]]; then
  "$ROOT/deploy/make-bundle.sh" --arch "$ARCH" --folder "$INSIDE"
elif [[ -d $BUNDLE ]]; then
  cp -R "$BUNDLE" "$INSIDE"
elif [[ -f $BUNDLE ]]; then
  mkdir "$INSIDE"
  tar -xf "$BUNDLE" --strip-components=1 -C "$INSIDE"
else
  die "there is no bundle $BUNDLE"
fi
VERSION=$(<"$INSIDE/RELEASE")
ARCH=$(<"$INSIDE/ARCHITECTURE")

sed 's/^  *$//' >"$TREE/DEBIAN/control" <<END
Package: edge-fea
Version: $VERSION
Architecture: $ARCH
Maintainer: the edge-fea contributors <edge-fea@edge-fea.example>
Installed-Size: $(du -sk "$TREE/usr" | cut -f 1)
Depends: python3 (>= 3.11), python3 (<< 3.14), systemd, udev, passwd
Recommends: libharfbuzz-subset0, libpango-1.0-0, libpangoft2-1.0-0, openssh-server, python3-gpiozero, python3-lgpio, python3-picamera2
Section: science
Priority: optional
Description: watches how a patient feels, and keeps numbers instead of pictures
 A camera sees the patient's face, a small network on the device reads the
 expression, and every five minutes one row of numbers goes into a local
 database. No picture is stored or sent. It is an observation aid for
 research and care teams, and no diagnostic device.
 .
 The package carries the wheels of all Python packages that it needs, and
 makes an environment of its own in /opt/edge-fea from them. The Pi camera's
 software, python3-picamera2, comes from Raspberry Pi OS.
END
for script in postinst prerm postrm; do
  install -m 0755 "$ROOT/deploy/debian/$script" "$TREE/DEBIAN/$script"
done
install -m 0644 "$ROOT/deploy/debian/copyright" "$TREE/usr/share/doc/edge-fea/copyright"
{
  printf 'edge-fea (%s) stable; urgency=medium\n\n' "$VERSION"
  printf '  * See /usr/lib/edge-fea/bundle/CHANGELOG.md.\n\n'
  printf ' -- the edge-fea contributors <edge-fea@edge-fea.example>  %s\n' \
    "$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")"
} | gzip -9n >"$TREE/usr/share/doc/edge-fea/changelog.gz"
(cd "$TREE" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) >"$TREE/DEBIAN/md5sums"
find "$TREE" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
mkdir -p "$OUTPUT"
FILE=$OUTPUT/edge-fea_${VERSION}_$ARCH.deb
# Wheels are compressed already.
dpkg-deb --root-owner-group -Zgzip -z1 --build "$TREE" "$FILE.new" >/dev/null
mv "$FILE.new" "$FILE"
printf '%s, %s MB\n' "$FILE" "$(du -m "$FILE" | cut -f 1)"
