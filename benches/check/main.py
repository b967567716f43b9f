"""Holds `firedrill check` beside its peers, and writes docs/check.md."""

import argparse
import importlib.metadata
import pathlib
import signal
import subprocess
import sys

import many
import mistakes
import once
import page
import slips
import tools

ROOT = pathlib.Path(__file__).resolve().parents[2]


def arguments():
    parser = argparse.ArgumentParser(prog="benches/check.sh")
    parser.add_argument("--firedrill", type=pathlib.Path, required=True)
    parser.add_argument("--peers", type=pathlib.Path, required=True, help="the folder of the peers' programs")
    parser.add_argument("--quick", action="store_true", help="few rounds and files, and no page: to see that it works")
    return parser.parse_args()


def versions(firedrill):
    own = subprocess.run([firedrill, "--version"], capture_output=True, text=True, timeout=20).stdout.split()[-1]
    of = lambda *names: [f"{name} {importlib.metadata.version(name)}" for name in names]
    return ", ".join([f"firedrill {own}", *of("chaostoolkit", "chaostoolkit-lib", "chaostoolkit-aws", "yamllint",
                                              "check-jsonschema", "ryl")])


def say(text):
    print(text, flush=True)


def main():
    asked = arguments()
    # So that what is temporary goes, however this ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    firedrill, peers = asked.firedrill.absolute(), asked.peers.absolute()
    if asked.quick:
        once.ROUNDS, many.COUNTS, many.ROUNDS, many.SAMPLE = 3, (100, 200), 1, 20
    with tools.Bench() as bench:
        listed = tools.tools(firedrill, peers)
        names = [tool.name for tool in listed]
        say("one file")
        ryl = [peers / "ryl", "check", "--no-cache"]
        chaos = [*listed[1].command, "chaos.yaml"]
        timed = once.run(bench, [("firedrill check", [firedrill, "check", "drill.yaml"]), ("chaos validate", chaos),
                                 ("yamllint", [peers / "yamllint", "drill.yaml"]), ("ryl", [*ryl, "-d", "extends: default", "drill.yaml"]),
                                 ("/bin/true", ["/bin/true"])])
        say("many files")
        counted = many.run(bench, firedrill, peers / "yamllint", ryl, say)
        say("mistakes")
        rows, controls = mistakes.all_judged(bench, listed)
        say("slips")
        slipped = {} if asked.quick else slips.run(bench, listed)
    text = page.page(rows, names, controls, slipped, timed, counted, versions(firedrill))
    say("\n".join(page.totals(rows, names) + page.slips_table(slipped, names) + page.once_table(timed) + page.many_table(counted) + page.bars(timed, counted)))
    if not asked.quick:
        (ROOT / "docs" / "check.md").write_text(text)
        say("written: docs/check.md")


if __name__ == "__main__":
    main()
