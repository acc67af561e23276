#!/bin/sh
# Runs the end-to-end tests: run.sh PROGRAM [MODE [PYTEST OPTIONS...]]
#   PROGRAM  the shoebox program (any word for MODE openssh)
#   MODE     quickstart (default), minio, openssh; both: quickstart beside minio; large: what takes
#            gigabytes, on MinIO; or all: quickstart and then large, beside them minio
# Without root or /dev/fuse the mounts are left out, and it says so. Exit status: 0 if all passed.
set -eu

program=${1:?"usage: run.sh PROGRAM [quickstart|minio|openssh|both|large|all [pytest options...]]"}
mode=${2:-quickstart}
[ $# -ge 2 ] && shift 2 || shift 1

if [ "$mode" != openssh ]; then
  [ -x "$program" ] || { echo "run.sh: $program is not a program" >&2; exit 2; }
  SHOEBOX_PROGRAM=$(realpath "$program")
  export SHOEBOX_PROGRAM
fi
cd "$(dirname "$0")"
export PYTHONDONTWRITEBYTECODE=1 PYTHONWARNINGS=ignore

summary=
if [ ! -r /dev/fuse ] || [ ! -w /dev/fuse ]; then
  summary="  mounts: left out, /dev/fuse cannot be used here
"
  set -- -m "not fuse" "$@"
fi

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
run() { # MODE PYTEST OPTIONS...
  each=$1 found=0
  shift
  if [ "$each" = large ]; then
    set -- --server=minio --large "$@"
  else
    set -- --server="$each" "$@"
  fi
  /usr/bin/python3 -m pytest -q "$@" >"$logs/$each" 2>&1 || found=$?
  [ "$found" -eq 5 ] && [ "$each" = large ] || return "$found" # 5: none was chosen by -k
}

# Side by side: much of their time is waiting.
status=0
pids=
trap 'kill $pids; wait; exit 143' INT TERM
case $mode in
  all)
    modes="quickstart minio large"
    { run quickstart "$@" && run large "$@"; } &
    pids=$!
    run minio "$@" &
    pids="$pids $!"
    ;;
  both)
    modes="quickstart minio"
    run quickstart "$@" &
    pids=$!
    run minio "$@" &
    pids="$pids $!"
    ;;
  *)
    modes=$mode
    run "$mode" "$@" &
    pids=$!
    ;;
esac
for pid in $pids; do
  wait "$pid" || status=1
done
for each in $modes; do
  [ -e "$logs/$each" ] || continue # large is not begun when quickstart has failed
  cat "$logs/$each"
  summary="$summary  $each: $(tail -n 1 "$logs/$each")
"
done
echo
echo "End to end:"
printf '%s' "$summary"
exit $status
