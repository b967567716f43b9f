#!/usr/bin/env bash
# Runs every fuzz test for a while: tests/fuzz.sh [TIME], such as 90s, 10m or 1h (10m when left out).
#
# Each round makes ten times as many cases as a usual test run does, with other random numbers each time. What is
# found is kept in tests/corpus/, which every later test run replays; commit it with the mend.
set -euo pipefail
cd "$(dirname "$0")/.."

time="${1:-10m}"
case "$time" in
  *h) seconds=$(( ${time%h} * 3600 )) ;;
  *m) seconds=$(( ${time%m} * 60 )) ;;
  *s) seconds=${time%s} ;;
  *)  echo "usage: tests/fuzz.sh [TIME], such as 90s, 10m or 1h" >&2; exit 2 ;;
esac
end=$(( SECONDS + seconds ))
rounds=0
log="$(mktemp)"
trap 'rm -f "$log"' EXIT
cargo test --quiet --test suite --no-run
while [ "$SECONDS" -lt "$end" ]; do
  rounds=$(( rounds + 1 ))
  for test in $(cargo test --quiet --test suite -- --list fuzz:: 2>/dev/null | sed -n 's/: test$//p'); do
    # A process for each: their memory is measured.
    case "$test" in *_server) count=200 ;; *) count=4000 ;; esac
    if ! FIREDRILL_FUZZ_CASES="$count" cargo test --quiet --test suite -- --exact "$test" --nocapture >"$log" 2>&1; then
      cat "$log" >&2
      echo "fuzz: $test failed; what it found is in tests/corpus/" >&2
      exit 1
    fi
    grep '^fuzz ' "$log" || true
    [ "$SECONDS" -lt "$end" ] || break
  done
done
echo "fuzz: $rounds rounds in ${SECONDS}s, nothing found"
