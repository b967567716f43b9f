#!/usr/bin/env bash
# Installs what the tests need and runs them all.
#
# Needs: a Rust toolchain, python3, and (only where PostgreSQL's server is missing) Debian's apt as root.
# Installs: moto, the AWS stand-in, and hdrhistogram for Python, a second reader of interval logs, into .test/ (git
# ignores it); Debian's PostgreSQL, when there is none.
# Everything the tests talk to listens on loopback.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$*"; }

if ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
  say "installing PostgreSQL's server"
  sudo=""; [ "$(id -u)" = 0 ] || sudo="sudo"
  # The tests start servers of their own: no cluster of the system's is wanted.
  $sudo mkdir -p /etc/postgresql-common
  echo 'create_main_cluster = false' | $sudo tee /etc/postgresql-common/createcluster.conf >/dev/null
  $sudo apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends postgresql >/dev/null
fi

wanted="$(cat tests/moto-requirements.txt)"
if [ ! -x .test/moto/bin/moto_server ] || [ "$(cat .test/moto/installed 2>/dev/null)" != "$wanted" ]; then
  say "installing moto into .test/"
  rm -rf .test/moto
  python3 -m venv .test/moto
  .test/moto/bin/pip install --quiet --disable-pip-version-check -r tests/moto-requirements.txt
  printf '%s' "$wanted" > .test/moto/installed
fi

if ! .test/hdr/bin/python -c 'import hdrh.log' 2>/dev/null; then
  say "installing hdrhistogram for Python into .test/"
  rm -rf .test/hdr
  python3 -m venv .test/hdr
  .test/hdr/bin/pip install --quiet --disable-pip-version-check hdrhistogram==0.10.8
fi

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
