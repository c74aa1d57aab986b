# shellcheck shell=bash source-path=SCRIPTDIR
# The whole library, for the scripts above this folder, which set HERE to theirs.
. "$HERE/lib/common.sh"
. "$HERE/lib/checks.sh"
. "$HERE/lib/system.sh"
. "$HERE/lib/release.sh"
. "$HERE/lib/service.sh"
. "$HERE/lib/upgrade.sh"
. "$HERE/lib/removal.sh"
