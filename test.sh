#!/usr/bin/env bash
# Installs what the tests need, builds, and runs all of them against real servers and real clients:
#   ./test.sh                 everything: format, unit and server tests with AddressSanitizer, end to
#                             end as shipped and with it, ThreadSanitizer, a while of fuzzing
#   ./test.sh --quick         format and the tests that need no servers
#   ./test.sh --only LABEL    the tests of one label (ctest -L), with AddressSanitizer
#   ./test.sh --tidy          clang-tidy over the files changed since the branch began, and nothing else
# SHOEBOX_CACHE (~/.cache/shoebox) keeps compiled files, S3 servers and fsx between runs.
set -euo pipefail

sources=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$sources"
# shellcheck source=cmake/debian_packages.sh
source cmake/debian_packages.sh

what=all
label=
case ${1-} in
  "") ;;
  --quick) what=quick ;;
  --tidy) what=tidy ;;
  --only)
    what=only
    label=${2:?"--only needs a label"}
    ;;
  *)
    sed -n '2,9s/^# //p' "${BASH_SOURCE[0]}"
    exit 2
    ;;
esac

cache=${SHOEBOX_CACHE:-$HOME/.cache/shoebox}
export SHOEBOX_TOOLS=${SHOEBOX_TOOLS:-$cache}
export CCACHE_DIR=$cache/ccache CCACHE_MAXSIZE=3G CCACHE_BASEDIR=$sources CCACHE_NOHASHDIR=1
export ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1
export LSAN_OPTIONS=suppressions=$sources/tests/leaks_of_libraries.supp
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:suppressions=$sources/tests/races_of_libraries.supp
logs=$sources/build/test_logs
mkdir -p "$logs" "$cache"

results=()
failed=0

# step NAME COMMAND...: runs it with its output in a log, of which a failure shows the end.
step() {
  local name=$1 log began=$SECONDS status=0
  shift
  log=$logs/${name// /_}.log
  printf '%-34s' "$name"
  "$@" >"$log" 2>&1 || status=$?
  if [ "$status" -eq 0 ]; then
    printf 'ok      %4ss  %s\n' "$((SECONDS - began))" "$(closing_line "$log")"
  else
    printf 'FAILED  %4ss  %s\n' "$((SECONDS - began))" "$log"
    what_failed "$log" | cut -c1-300 | head -n 80 || true
    tail -n 40 "$log"
    failed=$((failed + 1))
    results+=("$name")
  fi
  return 0
}

# The lines that say what failed, and the tests in which a program was stopped or died.
what_failed() {
  grep -aE '\*\*\*|: Failure$|^\[  FAILED  \]|Sanitizer|runtime error:|^(FAILED|ERROR) |^E  ' "$1"
  awk 'function end() { if (begun) print "did not end: " begun; begun = "" }
       /^ *[0-9]+\/[0-9]+ Test +#/ {end()}
       /^\[ RUN      \]/ {begun = $0} /^\[       OK \]|^\[  FAILED  \]|^\[  SKIPPED \]/ {begun = ""}
       /^terminate called|^SUMMARY|  what\(\):| hangs: / {print}
       END {end()}' "$1"
}

# What ctest or pytest counted.
closing_line() {
  grep -E '^[0-9]+% tests passed|^  *(quickstart|minio|large|mounts): |passed.* in [0-9.]+s' "$1" | tail -n 4 |
    tr -s ' \n' ' ' || true
}

check_format() {
  git ls-files -z '*.cpp' '*.h' | xargs -0 clang-format-14 --dry-run -Werror
}

check_tidy() {
  local base
  base=$(git merge-base HEAD origin/main 2>/dev/null || git rev-list --max-parents=0 HEAD)
  cmake --preset asan && git diff --name-only --diff-filter=d "$base" -- '*.cpp' |
    grep -E '^(sftpd|storage|metadata)/' | xargs -r -P "$(nproc)" -n 4 clang-tidy-14 -p build/asan --quiet
}

# build PRESET TARGET...
build() {
  local preset=$1
  shift
  cmake --preset "$preset" -DCMAKE_COMPILE_WARNING_AS_ERROR=ON &&
    cmake --build "build/$preset" --parallel "$(build_jobs)" --target "$@" -- -k 0
}

run_ctest() {
  local preset=$1
  shift
  ctest --test-dir "build/$preset" --output-on-failure --no-tests=error --parallel 3 "$@"
}

run_fuzzers() {
  local fuzzer name seconds=20
  for fuzzer in build/fuzz/tests/fuzz/*_fuzz; do
    name=$(basename "$fuzzer" _fuzz)
    echo "== $name"
    mkdir -p "build/fuzz/found/$name"
    "$fuzzer" -max_total_time=$seconds -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
      -artifact_prefix="build/fuzz/found/$name-" "build/fuzz/found/$name" \
      "tests/fuzz/corpus/$name" || return 1
  done
}

# The threads of the store and of the file system; the other rooms' threads meet in these two.
tsan_programs="storage_tests storage_server_tests vfs_unit_tests vfs_tests model_tests sftpd_jobs_tests"
run_tsan() {
  local program
  for program in $tsan_programs; do
    echo "== $program"
    "$(find build/tsan/tests -type f -name "$program")" || return 1
  done
}

end_to_end() {
  tests/end_to_end/run.sh "$@"
}

# Clients and servers wait for each other half of the time, threads and fuzzers never.
sanitized() {
  local log=$logs/end_to_end_asan.log status=0 clients
  end_to_end build/asan/shoebox both --sanitized >"$log" 2>&1 &
  clients=$!
  run_tsan || status=1
  run_fuzzers || status=1
  wait "$clients" || status=1
  cat "$log"
  return "$status"
}

# shellcheck disable=SC2086  # lists of words
install_packages $packages_to_build $packages_to_run $packages_to_test

if [ "$what" = tidy ]; then
  step "clang-tidy" check_tidy
else
  step "format" check_format
  if [ "$what" != quick ]; then
    step "test tools" tests/support/build_test_tools.sh
  fi
  step "build asan" build asan all
fi
case $what in
  quick) step "unit tests" run_ctest asan -L unit ;;
  only) step "tests of $label" run_ctest asan -L "$label" ;;
  all)
    step "tests asan" run_ctest asan
    step "build release" build release shoebox
    step "end to end" end_to_end build/release/shoebox all
    # shellcheck disable=SC2086  # a list of words
    step "build tsan" build tsan $tsan_programs
    step "build with clang" build fuzz shoebox fuzzers
    step "sanitizers" sanitized
    ;;
esac

if [ "$failed" -eq 0 ]; then
  echo "test.sh: all passed in $((SECONDS / 60)) min $((SECONDS % 60)) s"
else
  echo "test.sh: FAILED: ${results[*]} ($((SECONDS / 60)) min $((SECONDS % 60)) s; logs in $logs)"
  exit 1
fi
