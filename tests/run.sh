#!/usr/bin/env bash
# Installs what the tests need and runs them all.
#
# Needs: a Rust toolchain, python3, openssl, and (only where a server is missing) Debian's apt as root.
# Installs: what comes from PyPI (moto, the AWS stand-in; the AWS CLI, whose parser is asked; grpcio; hdrhistogram; jsonschema;
# check-jsonschema) into .test/, which git ignores; Debian's servers that the drills fail over, where they are missing.
# Everything the tests talk to listens on loopback.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$*"; }
sudo=""; [ "$(id -u)" = 0 ] || sudo="sudo"

missing=()
# The program, and the package that has it.
need() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || missing+=("$2"); }
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing+=(postgresql)
need redis-server redis-server
need redis-cli redis-tools
need redis-sentinel redis-sentinel
need mariadbd mariadb-server
need haproxy haproxy
need knotd knot
need knsupdate knot-dnsutils
need unbound unbound
need prometheus prometheus
need strace strace

if [ "${#missing[@]}" -gt 0 ]; then
  say "installing ${missing[*]}"
  # The tests start servers of their own: none of the system's is wanted. Nothing that was there before is changed.
  policy=/usr/sbin/policy-rc.d; ours=""
  if [ ! -e "$policy" ]; then
    ours=yes
    printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
    $sudo chmod +x "$policy"
    trap '$sudo rm -f "$policy"' EXIT
  fi
  if [ ! -e /etc/postgresql-common ]; then
    $sudo mkdir -p /etc/postgresql-common
    echo 'create_main_cluster = false' | $sudo tee /etc/postgresql-common/createcluster.conf >/dev/null
  fi
  $sudo apt-get update -qq
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  if [ -n "$ours" ]; then $sudo rm -f "$policy"; trap - EXIT; fi
fi

# A Python environment of its own per file of requirements.
for file in tests/*-requirements.txt; do
  name="$(basename "$file" -requirements.txt)"; wanted="$(cat "$file")"
  if [ ! -x ".test/$name/bin/python" ] || [ "$(cat ".test/$name/installed" 2>/dev/null)" != "$wanted" ]; then
    say "installing $name into .test/"
    rm -rf ".test/$name"
    python3 -m venv ".test/$name"
    ".test/$name/bin/pip" install --quiet --disable-pip-version-check -r "$file"
    printf '%s' "$wanted" > ".test/$name/installed"
  fi
done

# Without this the tests that need a server would pass over what is missing.
export FIREDRILL_REQUIRE_TESTBEDS=1

say "tests"
if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run --no-fail-fast "$@"
else
  cargo test --no-fail-fast "$@"
fi
say "documentation tests"
cargo test --doc --quiet
