#!/bin/sh
# Runs the end-to-end tests: run.sh PROGRAM [MODE [PYTEST OPTIONS...]]
#   PROGRAM  the shoebox program (any word for MODE openssh)
#   MODE     quickstart (default), minio, openssh, or all: quickstart and minio
# Without root or /dev/fuse the mounts are left out, and it says so. Exit status: 0 if all passed.
set -eu

program=${1:?"usage: run.sh PROGRAM [quickstart|minio|openssh|all [pytest options...]]"}
mode=${2:-quickstart}
[ $# -ge 2 ] && shift 2 || shift 1

if [ "$mode" != openssh ]; then
  [ -x "$program" ] || { echo "run.sh: $program is not a program" >&2; exit 2; }
  SHOEBOX_PROGRAM=$(realpath "$program")
  export SHOEBOX_PROGRAM
fi
cd "$(dirname "$0")"
export PYTHONDONTWRITEBYTECODE=1 PYTHONWARNINGS=ignore

if [ ! -r /dev/fuse ] || [ ! -w /dev/fuse ]; then
  echo "run.sh: /dev/fuse cannot be used here: tests that mount are left out" >&2
  set -- -m "not fuse" "$@"
fi

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
run() { # MODE PYTEST OPTIONS...
  each=$1
  shift
  /usr/bin/python3 -m pytest --server="$each" -q "$@" >"$logs/$each" 2>&1
}

status=0
[ "$mode" = all ] && modes="quickstart minio" || modes=$mode
pids=
trap 'kill $pids; wait; exit 143' INT TERM
for each in $modes; do # side by side: much of their time is waiting
  run "$each" "$@" &
  pids="$pids $!"
done
for pid in $pids; do
  wait "$pid" || status=1
done
summary=
for each in $modes; do
  cat "$logs/$each"
  summary="$summary  $each: $(tail -n 1 "$logs/$each")
"
done
echo
echo "End to end:"
printf '%s' "$summary"
exit $status
