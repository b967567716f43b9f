#!/usr/bin/env bash
# Holds `firedrill check` beside `chaos validate`, yamllint and firedrill's JSON Schema: which mistakes each one finds, and what it
# takes. Writes docs/check.md.
#
#   benches/check.sh [--quick]       FIREDRILL=path/to/firedrill for another binary than target/release/firedrill
#
# Needs: a Rust toolchain, Python 3.12 or later (Chaos Toolkit 1.21 does), Debian's `time` and `taskset`. Installs the peers into
# .bench/check (git ignores it). Takes about ten minutes; what it writes elsewhere is gone when it ends.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$*"; }

# The newest Python that is new enough: by its name, or one of pyenv's.
python=""
for candidate in python3.14 python3.13 python3.12 python3 "$HOME"/.pyenv/versions/3.1[2-9]*/bin/python3; do
  if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1; then
    python="$candidate"
    break
  fi
done
if [ -z "$python" ]; then
  echo "benches/check.sh: no Python 3.12 or later here, which Chaos Toolkit 1.21 needs" >&2
  exit 2
fi
if ! [ -x /usr/bin/time ]; then
  say "installing time"
  sudo=""; [ "$(id -u)" = 0 ] || sudo="sudo"
  $sudo apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends time >/dev/null
fi
# Asked, and not only looked for: a virtual environment does not survive being moved.
if ! .bench/check/bin/chaos --version >/dev/null 2>&1 || ! .bench/check/bin/ryl --version >/dev/null 2>&1; then
  say "installing the peers into .bench/check"
  mkdir -p .bench
  rm -rf .bench/check
  "$python" -m venv .bench/check
  .bench/check/bin/pip install --quiet --disable-pip-version-check -r benches/check/requirements.txt
fi
if [ -z "${FIREDRILL:-}" ]; then
  say "building firedrill, optimised"
  cargo build --quiet --release --bin firedrill
  FIREDRILL=target/release/firedrill
fi
exec .bench/check/bin/python benches/check/main.py --firedrill "$FIREDRILL" --peers .bench/check/bin "$@"
