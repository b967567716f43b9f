"""Runs the parts of the benchmark and writes docs/benchmarks.md. Called by benches/run.sh."""

import argparse
import shutil
import subprocess
import threading

import common
import cost
import outages
import table
import workloads
from common import say, store

PARTS = {
    "outages": outages.run,
    "soak": cost.soak,
    "pacing": workloads.pacing,
    "cost": cost.run,
    "rate": cost.rate,
    "ledger": workloads.ledger,
    "report": workloads.report,
}


def arguments():
    parser = argparse.ArgumentParser(prog="benches/run.sh")
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all without any")
    parser.add_argument("--quick", action="store_true", help="little of everything: to see that it works")
    parser.add_argument("--long", action="store_true", help="an hour of soak, a minute for each cost")
    parser.add_argument("--firedrill", default=common.ROOT / "target/release/firedrill")
    parser.add_argument("--workloads", required=True)
    parser.add_argument("--build-seconds", type=float)
    parser.add_argument("--only", action="append", help="in outages: this tool alone (repeatable)")
    found = parser.parse_args()
    unknown = [part for part in found.parts if part not in PARTS]
    if unknown:
        parser.error(f"unknown part {unknown[0]}; there are {', '.join(PARTS)}")
    return found


def versions(firedrill):
    """Of everything that takes part."""
    def first(*argv):
        try:
            done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, timeout=20)
            lines = (done.stdout or done.stderr).strip().splitlines()
            return lines[0].strip() if lines else "?"
        except OSError:
            return "missing"
    package = lambda name: first("dpkg-query", "-W", "-f", "${Version}", name)
    return {"firedrill": first(firedrill, "--version").split()[-1],
            "hey": package("hey"), "wrk": package("wrk"),
            "blackbox_exporter": package("prometheus-blackbox-exporter"), "curl": package("curl"),
            "oha": first(common.BENCH / "bin/oha", "--version").split()[-1],
            "Chaos Toolkit": first(common.BENCH / "venv/bin/python", "-c",
                                   "import importlib.metadata as m; print(m.version('chaostoolkit'))")}


def main():
    asked = arguments()
    settings = common.Settings(asked.firedrill, asked.workloads, asked.quick, asked.long)
    shutil.rmtree(common.SCRATCH, ignore_errors=True)
    common.SCRATCH.mkdir(parents=True)
    wanted = asked.parts or list(PARTS)
    before = common.stored("build") or {}
    seconds = asked.build_seconds if asked.build_seconds and asked.build_seconds > 60 else before.get("seconds")
    store("build", {"machine": common.machine(), "versions": versions(asked.firedrill), "seconds": seconds,
                    "quick": asked.quick})
    beside = None
    if "soak" in wanted and "outages" in wanted:
        # The outages leave the server's core nearly idle, and take as long as a soak wants.
        say("== soak (beside the next part)")
        beside = threading.Thread(target=cost.soak, args=(settings,))
        beside.start()
    for part in wanted:
        if part == "soak" and beside:
            continue
        say(f"== {part}")
        if part == "outages":
            outages.run(settings, only=asked.only)
        else:
            PARTS[part](settings)
        if part == "outages" and beside:
            beside.join()
    table.write("benches/run.sh")
    shutil.rmtree(common.SCRATCH, ignore_errors=True)
    say(f"written: {table.TABLE.relative_to(common.ROOT)}")


if __name__ == "__main__":
    main()
