"""Parts cost, soak and rate: what the prober takes of the machine, and how much it can keep up with."""

import os
import pathlib
import re
import resource
import subprocess
import time

import common
from common import CLIENT_CORE, SERVER_CORE, Drill, Truth, experiment, percentile, pinned, say, store

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """Processor time of a process so far: in ticks with the threads that have ended, and to the nanosecond without them."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    threads = pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")
    return ((int(fields[11]) + int(fields[12])) / TICKS,
            sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9)


def cpu_since(pid, before):
    """Processor time since then, in seconds. Threads that end take their nanoseconds with them: then the ticks count."""
    ticks, exact = (now - then for now, then in zip(cpu_seconds(pid), before))
    return exact if abs(exact - ticks) < 0.05 else ticks


def rss_mib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s*(\d+)", status).group(1)) / 1024


def lags(drill):
    """How late samples were sent, in microseconds."""
    late = [(sent - due) * 1e6 for _, due, sent, _, kind, _ in drill.samples() if kind not in ("shed", "void")]
    return {"n": len(late), "p50": percentile(late, 0.5), "p99": percentile(late, 0.99),
            "max": max(late) if late else None}


def coverage(report):
    due = sum(probe["scheduled"] for probe in report["probes"])
    good = sum(probe["ok"] for probe in report["probes"])
    said = sum(probe["ok"] + probe["bad"] for probe in report["probes"])
    return {"scheduled": due, "coverage": said / max(1, due), "good": good / max(1, due)}


def watched(settings, name, rate, seconds, connection, sample_every=1.0, core=CLIENT_CORE):
    """One drill of `rate` samples a second over HTTP; its processor time and memory meanwhile."""
    probes = max(1, rate // 100)
    every = 1000 * probes // rate
    truth = Truth(settings, "503", 0, 1, 1, 1, linger=seconds + 60)
    try:
        drill = Drill(settings, name, experiment(name, [truth.url] * probes, every, connection), core)
        # Its start is not what is measured.
        time.sleep(3)
        pid, began = drill.process.pid, time.monotonic()
        spent, rss, until = cpu_seconds(pid), [], began + seconds
        while time.monotonic() < until and drill.process.poll() is None:
            rss.append((round(time.monotonic() - began, 2), rss_mib(pid)))
            time.sleep(min(sample_every, max(0.01, until - time.monotonic())))
        elapsed = time.monotonic() - began
        used = cpu_since(pid, spent)
        report = drill.finish()
    finally:
        truth.close()
    return drill, {"rate": rate, "connection": connection, "seconds": round(elapsed, 1),
                   "cpu_percent": 100 * used / elapsed, "rss_mib_max": max(mib for _, mib in rss),
                   "rss": rss, **coverage(report), "stalls": len(report["prober"]["stalls"]),
                   "cpu_us_per_sample": 1e6 * used / (rate * elapsed)}


def run(settings):
    seconds = 6 if settings.quick else 60 if settings.long else 20
    found = []
    for rate in (100, 1000):
        for connection in ("kept", "fresh"):
            say(f"  {rate}/s, {connection} connections, {seconds} s")
            drill, one = watched(settings, f"cost-{rate}-{connection}", rate, seconds, connection)
            one["lag_us"] = lags(drill)
            found.append(one)
    store("cost", {"machine": common.machine(), "runs": found, "others": others(settings, seconds)})


def others(settings, seconds):
    """What the same hundred requests a second over one kept connection cost others, and cost at the least."""
    found = []
    total = seconds + 4
    for name, argv in [
        ("bare loop", lambda url: [settings.workloads, "exchange", url.split("/")[2], 100, total]),
        ("oha", lambda url: [common.BENCH / "bin" / "oha", "--no-tui", "-c", "1", "-q", "100", "-z", f"{total}s", url]),
        ("hey", lambda url: ["hey", "-c", "1", "-q", "100", "-z", f"{total}s", url]),
    ]:
        truth = Truth(settings, "503", 0, 1, 1, 1, linger=total + 60)
        try:
            process = subprocess.Popen(pinned(CLIENT_CORE, argv(truth.url)), stdout=subprocess.DEVNULL)
            time.sleep(2)
            began, spent = time.monotonic(), cpu_seconds(process.pid)
            time.sleep(seconds)
            used, elapsed = cpu_since(process.pid, spent), time.monotonic() - began
            process.wait(30)
        finally:
            truth.close()
        found.append({"tool": name, "cpu_percent": 100 * used / elapsed})
        say(f"  100/s, {name}: {found[-1]['cpu_percent']:.2f} % of a core")
    return found


def soak_seconds(settings):
    return 15 if settings.quick else 3600 if settings.long else 240


def soak(settings):
    """Memory over a long run at 1,000 samples a second: a slope, fitted to the second half."""
    seconds = soak_seconds(settings)
    # Beside the servers: the part that runs at the same time has the other core.
    drill, one = watched(settings, "soak", 1000, seconds, "kept", 1.0, SERVER_CORE)
    half = [(at, mib) for at, mib in one["rss"] if at >= seconds / 2]
    one["slope_kib_per_min"] = slope(half) * 60 * 1024
    one["bytes"] = sum(file.stat().st_size for file in drill.dir.glob("samples*"))
    one["bytes_per_sample"] = one["bytes"] / max(1, one["scheduled"])
    store("soak", {"machine": common.machine(), "run": one})


def slope(points):
    """Least squares, in units of y per unit of x."""
    count = len(points)
    if count < 2:
        return 0.0
    x, y = sum(a for a, _ in points) / count, sum(b for _, b in points) / count
    spread = sum((a - x) ** 2 for a, _ in points)
    return sum((a - x) * (b - y) for a, b in points) / spread if spread else 0.0


def rate(settings):
    """The highest rate with fresh connections that keeps its schedule, beside what closed loops get through."""
    seconds = 3 if settings.quick else 5
    steps, best, wanted = [], 0, 1000
    lower, upper = 0, None
    for _ in range(4 if settings.quick else 8):
        one = honest(settings, wanted, seconds)
        steps.append(one)
        say(f"  {wanted}/s: coverage {100 * one['coverage']:.2f} %, lag p99 {one['lag_us']['p99']:.0f} us, "
            f"{one['cpu_percent']:.0f} % of a core: {'kept' if one['kept'] else 'not kept'}")
        if one["kept"]:
            lower, best = wanted, one
        else:
            upper = wanted
        wanted = lower * 2 if upper is None else (lower + upper) // 200 * 100
        if wanted < 100 or wanted == lower or (upper and upper - lower <= 500):
            break
    store("rate", {"machine": common.machine(), "steps": steps, "best": best or None,
                   "peers": peers(settings, seconds)})


def honest(settings, wanted, seconds):
    drill, one = watched(settings, f"rate-{wanted}", wanted, seconds, "fresh")
    one["lag_us"] = lags(drill)
    # A schedule is kept when nothing is left out and 99 of 100 leave within half of their spacing.
    half = 0.5e6 * max(1, wanted // 100) / wanted
    one["kept"] = one["coverage"] >= 0.999 and one["good"] >= 0.999 and one["lag_us"]["p99"] < half
    return one


def peers(settings, seconds):
    """Requests a second on the same core against the same server, one connection for each."""
    found = []
    for name, argv in [
        ("wrk", ["wrk", "-t", "1", "-c", "16", "-d", f"{seconds}s", "-H", "Connection: close"]),
        ("oha", [common.BENCH / "bin" / "oha", "--no-tui", "-c", "16", "-z", f"{seconds}s", "--disable-keepalive"]),
        ("hey", ["hey", "-cpus", "1", "-c", "16", "-z", f"{seconds}s", "-disable-keepalive"]),
    ]:
        truth = Truth(settings, "503", 0, 1, 1, 1, linger=seconds + 60)
        try:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            said = subprocess.run(pinned(CLIENT_CORE, [*argv, truth.url]), capture_output=True, text=True,
                                  timeout=seconds + 30).stdout
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
        finally:
            truth.close()
        rate = re.search(r"Requests/sec:\s*([\d.]+)", said)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        found.append({"tool": name, "per_second": float(rate.group(1)) if rate else None,
                      "cpu_percent": 100 * used / seconds})
        say(f"  {name}: {found[-1]['per_second']}/s")
    return found
