#!/usr/bin/env bash
# Measures firedrill beside its peers, in one run, and writes docs/benchmarks.md.
#
#   benches/run.sh [--quick | --long] [PART…]    parts: outages soak pacing cost rate ledger report
#
# Needs: a Rust toolchain, python3, and Debian's apt as root for what is missing. Installs the peers into .bench/
# (git ignores it) and through apt; the first time, that and the optimised build take many minutes, which are
# not part of what is measured. Everything listens on loopback and ends with this script.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$*"; }

mkdir -p .bench/results

missing=""
command -v wrk >/dev/null || missing="$missing wrk"
command -v hey >/dev/null || missing="$missing hey"
command -v prometheus-blackbox-exporter >/dev/null || missing="$missing prometheus-blackbox-exporter"
command -v curl >/dev/null || missing="$missing curl"
if [ -n "$missing" ]; then
  say "installing$missing"
  sudo=""; [ "$(id -u)" = 0 ] || sudo="sudo"
  $sudo apt-get update -qq
  # shellcheck disable=SC2086 # a list of words
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
# Asked, and not only looked for: a virtual environment does not survive being moved.
if ! .bench/venv/bin/chaos --version >/dev/null 2>&1; then
  say "installing Chaos Toolkit into .bench/"
  rm -rf .bench/venv
  python3 -m venv .bench/venv
  .bench/venv/bin/pip install --quiet --disable-pip-version-check chaostoolkit hdrhistogram
fi
if [ ! -x .bench/bin/oha ]; then
  say "building oha into .bench/ (minutes)"
  cargo install oha --locked --quiet --root .bench
fi

say "building firedrill, optimised"
began=$(date +%s)
cargo build --quiet --release --bin firedrill --bench workloads
took=$(( $(date +%s) - began ))
workloads="$(cargo build --quiet --release --bench workloads --message-format json |
  python3 -c 'import json,sys
for line in sys.stdin:
    said = json.loads(line)
    if said.get("target", {}).get("name") == "workloads" and said.get("executable"):
        print(said["executable"])')"

exec python3 benches/peers/main.py --workloads "$workloads" --build-seconds "$took" "$@"
