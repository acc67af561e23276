#!/bin/sh
# Runs the end-to-end tests: run.sh PROGRAM [MODE [PYTEST OPTIONS...]]
#   PROGRAM  the shoebox program (any word for MODE openssh)
#   MODE     quickstart (default), minio, openssh, or all: quickstart, then minio
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

status=0
summary=
[ "$mode" = all ] && modes="quickstart minio" || modes=$mode
for each in $modes; do
  log=$(mktemp)
  /usr/bin/python3 -m pytest --server="$each" -q "$@" >"$log" 2>&1 || status=1
  cat "$log"
  summary="$summary  $each: $(tail -n 1 "$log")
"
  rm -f "$log"
done
echo
echo "End to end:"
printf '%s' "$summary"
exit $status
