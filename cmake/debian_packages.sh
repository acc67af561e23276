# Sourced by quickstart.sh and test.sh: what Shoebox needs from Debian, and how to install it. The
# names are those of newer Debians and Ubuntus too, but whether their libssh is one to build with,
# cmake/libssh_is_safe.cmake decides: 0.10.6-0+deb12u3 or later, 0.11.5, or 0.12.2.

packages_to_build="g++ cmake ninja-build pkg-config libssh-dev libpqxx-dev libcurl4-openssl-dev
  libssl-dev zlib1g-dev libsodium-dev libmagic-dev libpugixml-dev libfmt-dev libspdlog-dev libyaml-cpp-dev
  libcli11-dev libsystemd-dev prometheus-cpp-dev"
packages_to_run="postgresql"
packages_to_test="ccache mold clang-14 clang-format-14 clang-tidy-14 libclang-rt-14-dev googletest libgtest-dev
  libgmock-dev git curl ca-certificates python3 python3-venv python3-pytest python3-paramiko python3-asyncssh
  openssh-client openssh-server openssh-sftp-server sshpass sshfs fuse3 fio lftp rclone restic rsync
  putty-tools sqlite3 psmisc"

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "This needs root and there is no sudo. As root, run: $*" >&2
    return 1
  fi
}

# Prints those of its arguments that are not installed.
missing_packages() {
  local package
  for package in "$@"; do
    dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
      echo "$package"
  done
}

# Repeats a command that fails while a mirror or another apt is in the way.
persistently() {
  local try
  for try in 1 2 3; do
    "$@" && return 0
    [ "$try" -lt 3 ] && sleep $((try * 5))
  done
  return 1
}

# A newly installed PostgreSQL server would make and start a system-wide cluster. Shoebox runs its
# own, so that one is suppressed, for this installation only: later ones find the usual behaviour.
without_system_cluster() {
  local setting=/etc/postgresql-common/createcluster.d/shoebox-quickstart.conf status=0
  as_root mkdir -p "${setting%/*}"
  echo "create_main_cluster = false" | as_root tee "$setting" >/dev/null
  "$@" || status=$?
  as_root rm -f "$setting"
  return "$status"
}

apt_get() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 \
    -o Acquire::Retries=3 "$@"
}

# Installs those of its arguments that are missing; asks the mirrors only if there are any.
install_packages() {
  local missing
  command -v dpkg-query >/dev/null || {
    echo "This script knows Debian and Ubuntu only. Install what README.md names, then build." >&2
    return 1
  }
  missing=$(missing_packages "$@" | tr '\n' ' ')
  [ -n "$missing" ] || return 0
  echo "Installing packages: $missing"
  persistently apt_get update -qq || echo "apt-get update failed; trying with what is known" >&2
  # shellcheck disable=SC2086  # a list of words
  if [[ " $missing" == *" postgresql "* ]]; then
    without_system_cluster persistently apt_get install -y -qq --no-install-recommends $missing
  else
    persistently apt_get install -y -qq --no-install-recommends $missing
  fi
}

# Prints the first of the packages that the mirrors have in that version or a newer one; fails if there is none.
package_of_version() { # VERSION PACKAGE...
  local wanted=$1 package
  shift
  for package in "$@"; do
    if dpkg --compare-versions "$(candidate_of "$package")" ge "$wanted"; then
      echo "$package"
      return
    fi
  done
  return 1
}

candidate_of() {
  LC_ALL=C apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: \([0-9].*\)/\1/p'
}

# As many compilers at once as there are processors, but no more than fit into memory at 1 GiB each.
build_jobs() {
  local processors memory
  processors=$(nproc)
  memory=$(awk '/MemAvailable/ {print int($2 / 1048576)}' /proc/meminfo)
  [ "$memory" -ge 1 ] || memory=1
  echo $((processors < memory ? processors : memory))
}
