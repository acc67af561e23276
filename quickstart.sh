#!/usr/bin/env bash
# Installs what is missing, builds Shoebox, and starts it on this machine:
#   ./quickstart.sh [--data DIR] [--listen ADDR:PORT] [--user NAME] [--password-file FILE]
#   ./quickstart.sh --build-only      leaves the program at build/release/shoebox
# As root, or as a user with sudo if packages are missing. Ctrl-C stops everything.
set -euo pipefail

sources=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=cmake/debian_packages.sh
source "$sources/cmake/debian_packages.sh"

build_only=false
arguments=()
for argument in "$@"; do
  case $argument in
    --build-only) build_only=true ;;
    -h | --help)
      sed -n '2,5s/^# //p' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    *) arguments+=("$argument") ;;
  esac
done

# shellcheck disable=SC2086  # lists of words
install_packages $packages_to_build $packages_to_run

build=$sources/build/release
if [ ! -f "$build/build.ninja" ]; then
  echo "Building Shoebox; the first time takes some minutes."
  log=$(mktemp)
  if ! (cd "$sources" && cmake --preset release) >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    exit 1
  fi
  rm -f "$log"
fi
cmake --build "$build" --parallel "$(build_jobs)" --target shoebox

if $build_only; then
  echo "Built $build/shoebox"
  exit 0
fi
case " ${arguments[*]-} " in
  *" --data "* | *" --data="*) ;;
  *) arguments=(--data ./shoebox-data "${arguments[@]}") ;;
esac
# In the place of this script, so that signals reach the program.
exec "$build/shoebox" quickstart "${arguments[@]}"
