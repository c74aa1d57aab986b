#!/usr/bin/env bash
# Writes deploy/requirements/*.txt anew: every package that a device gets, with the hashes of its
# files. What it takes is what is newest on the day. Its argument is a uv (from PyPI).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
UV=${1:?give the uv to use, or say: make lock}

lock() {
  local suite=$1 python=$2
  shift 2
  {
    printf '# Made by deploy/lock.sh: do not edit. Python %s or later.\n' "$python"
    "$UV" pip compile --quiet --system-certs --no-config --universal --generate-hashes \
      --no-header --no-annotate --constraint deploy/requirements/constraints.txt \
      --python-version "$python" "$@"
  } >"deploy/requirements/$suite.txt.new"
  mv "deploy/requirements/$suite.txt.new" "deploy/requirements/$suite.txt"
}

# Reports as PDF come along; Parquet, which is for researchers' own computers, does not.
lock bookworm 3.11 --extra report pyproject.toml deploy/requirements/bookworm.in
lock trixie 3.12 --extra report pyproject.toml
lock build 3.11 deploy/requirements/build.in
