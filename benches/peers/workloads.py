"""Parts pacing, ledger and report: what `workloads` measures inside the process, and the report's cost."""

import json
import os
import shutil
import subprocess
import time

import common
from common import Drill, SCRATCH, Truth, experiment, pinned, say, store


def measured(argv, **options):
    """What a program printed, its wall time and its peak memory."""
    began = time.monotonic()
    process = subprocess.Popen([str(word) for word in argv], stdout=subprocess.PIPE, text=True, **options)
    said = process.stdout.read()
    # wait4 gives the memory of this one child; the module `resource` knows only that of the largest.
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{argv[0]} ended with {process.returncode}")
    return said, {"seconds": time.monotonic() - began, "peak_mib": usage.ru_maxrss / 1024,
                  "cpu_seconds": usage.ru_utime + usage.ru_stime}


def pacing(settings):
    plan = [(10, 5), (100, 5), (1000, 5)] if settings.quick else [(10, 60), (100, 30), (1000, 30)]
    found = []
    for rate, seconds in plan:
        said, _ = measured([settings.workloads, "pacing", rate, seconds])
        found.append(json.loads(said))
        say(f"  {rate}/s: bare p99 {found[-1]['bare']['p99']:.0f} us, firedrill p99 {found[-1]['firedrill']['p99']:.0f} us")
    store("pacing", {"machine": common.machine(), "runs": found})


def template(settings, probes):
    """A short stored run: its header and events are the shape of the large one."""
    truth = Truth(settings, "503", 0, 1, 1, 1, linger=60)
    try:
        drill = Drill(settings, f"template-{probes}", experiment("template", [truth.url] * probes, 100, observe=1))
        drill.process.wait(60)
        drill.report()
    finally:
        truth.close()
    return drill.dir


def ledger(settings):
    operations = 10**6 if settings.quick else 10**7
    said, cost = measured(pinned(common.CLIENT_CORE, [settings.workloads, "ledger", template(settings, 1), operations]))
    found = json.loads(said)
    say(f"  {operations} operations: {found['checker_s']:.3f} s")
    store("ledger", {"machine": common.machine(), **found, "peak_mib": cost["peak_mib"]})


def report(settings):
    samples = 10**6 if settings.quick else 10**7
    large = SCRATCH / "large"
    shutil.rmtree(large, ignore_errors=True)
    said, _ = measured([settings.workloads, "stored", template(settings, 10), large, samples])
    written = json.loads(said)
    formats = []
    for kind in ("json", "html"):
        said, cost = measured(pinned(common.CLIENT_CORE, [settings.firedrill, "report", large, "--format", kind]))
        formats.append({"format": kind, "bytes": len(said), **cost})
        say(f"  {samples} samples, {kind}: {cost['seconds']:.2f} s, {cost['peak_mib']:.0f} MiB")
    shutil.rmtree(large, ignore_errors=True)
    store("report", {"machine": common.machine(), **written, "formats": formats})
