#!/usr/bin/env bash
# What firedrill and Chaos Toolkit leave behind when things go wrong in the middle: writes docs/safety.md.
#
#   benches/safety.sh
#
# Both stop the same EC2 instance of an embedded region (a process of its own, on loopback) and are to start it again.
# Needs: a Rust toolchain and python3. Installs Chaos Toolkit into .bench/ (git ignores it). Takes about three minutes.
set -euo pipefail
cd "$(dirname "$0")/.."

mkdir -p .bench
if ! .bench/safety/bin/chaos --version >/dev/null 2>&1; then
  printf '\n== installing Chaos Toolkit into .bench/\n'
  rm -rf .bench/safety
  python3 -m venv .bench/safety
  .bench/safety/bin/pip install --quiet --disable-pip-version-check chaostoolkit chaostoolkit-aws
fi
cargo build --quiet --bin firedrill
exec .bench/safety/bin/python benches/safety/main.py target/debug/firedrill .bench/safety/bin/chaos
