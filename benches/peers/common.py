"""Where things are, one clock, and processes that end when they are told to.

Every time in these scripts is seconds of CLOCK_BOOTTIME: firedrill's own clock.
"""

import json
import math
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BENCH = ROOT / ".bench"
RESULTS = BENCH / "results"
SCRATCH = BENCH / "scratch"

# What serves runs on one core, what asks on the other.
SERVER_CORE, CLIENT_CORE = (1, 0) if (os.cpu_count() or 1) > 1 else (0, 0)


class Settings:
    """What one invocation was asked for."""

    def __init__(self, firedrill, workloads, quick, long):
        self.firedrill, self.workloads = str(firedrill), str(workloads)
        self.quick, self.long = quick, long


def now():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def from_wall(wall):
    """The instant at which the wall clock showed this (seconds since 1970)."""
    return wall - time.time() + now()


def say(text):
    print(text, flush=True)


def pinned(core, argv):
    return ["taskset", "-c", str(core), *map(str, argv)]


def store(name, data):
    """Keeps raw data beside the table; the table is made from these files alone."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(data, indent=1) + "\n")


def stored(name):
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.is_file() else None


def stop(process, sent=signal.SIGINT, patience=10.0):
    """Asks a process to end; insists if it does not. Its own standard output was read by then."""
    if process.poll() is None:
        process.send_signal(sent)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Truth:
    """A server that goes down and up at known instants: `firedrill calibrate --truth-server`.

    Until it is told to go it serves, and that is all; with no outages wanted it is not told.
    """

    def __init__(self, settings, mode, outages, length, pause, seed, linger=600.0):
        ms = lambda seconds: str(int(round(seconds * 1000)))
        argv = [settings.firedrill, "calibrate", "--truth-server", mode, "--outages", str(max(1, outages)),
                "--length", ms(length), "--pause", ms(pause), "--seed", str(seed), "--linger", ms(linger)]
        self.process = subprocess.Popen(pinned(SERVER_CORE, argv), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the truth server did not start: {' '.join(argv)}")
        self.address = json.loads(line)["listening"]
        self.url = f"http://{self.address}/"
        self.outages, self.starved, self.over = [], [], threading.Event()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            said = json.loads(line)
            if "outage" in said:
                edge = lambda name, end: said[name][end] / 1e9
                self.outages.append({"down": [edge("down", "lo"), edge("down", "hi")],
                                     "up": [edge("up", "lo"), edge("up", "hi")]})
            if "starved" in said:
                self.starved.append([said["starved"]["lo"] / 1e9, said["starved"]["hi"] / 1e9])
            if said.get("done"):
                self.over.set()
        self.over.set()

    def go(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def close(self):
        try:
            self.process.stdin.close()
        except OSError:
            pass
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            # It ends its own child when it is asked to.
            stop(self.process, signal.SIGTERM, 2)
        self.reader.join(2)


def experiment(name, urls, every_ms, connection="fresh", observe=600, more=""):
    """An experiment that changes nothing and watches: one `http` probe for each URL; `more` are its options."""
    probes = "".join(
        f"  p{index}:\n"
        f"    http: {{ url: \"{url}\", expect: {{ status: 200 }}, connection: {connection}{more} }}\n"
        f"    every: {every_ms}ms\n"
        for index, url in enumerate(urls))
    return (f"kind: Experiment\nname: {name}\nprobes:\n{probes}"
            f"steady_state: {{ for: 1s, availability: 1% }}\n"
            "steps:\n  - name: change nothing\n    run: [sleep, \"0\"]\n"
            f"recovery: {{ confirm: 1s, within: 30m, observe: {observe}s }}\n")


class Drill:
    """A `firedrill run` of an experiment, ended by Ctrl-C or by itself."""

    def __init__(self, settings, name, text, core=CLIENT_CORE):
        self.settings = settings
        self.folder = SCRATCH / name
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / f"{name}.yaml"
        file.write_text(text)
        self.runs = self.folder / "runs"
        self.before = set(self.runs.glob("*"))
        self.log = open(self.folder / "stderr", "w")
        self.out = open(self.folder / "report.json", "w")
        argv = [settings.firedrill, "run", file, "--yes", "--store", self.runs, "--output", "json", "--seed", "7"]
        self.process = subprocess.Popen(pinned(core, argv), stdout=self.out, stderr=self.log,
                                        cwd=self.folder)

    def finish(self, sent=signal.SIGINT):
        """Ends it and returns its report, with the run's zero on the common clock."""
        stop(self.process, sent, 30)
        return self.report()

    def report(self):
        self.log.close()
        self.out.close()
        text = (self.folder / "report.json").read_text().strip()
        if not text:
            raise RuntimeError(f"firedrill gave no report: {(self.folder / 'stderr').read_text()[-2000:]}")
        report = json.loads(text.splitlines()[-1]) if text.startswith('{"') else json.loads(text)
        self.dir = next(iter(set(self.runs.glob("*")) - self.before))
        with open(self.dir / "journal.jsonl") as journal:
            report["origin"] = json.loads(journal.readline())["header"]["origin_ns"] / 1e9
        return report

    def samples(self):
        """Every sample as (probe, due, sent, done, class, seq), seconds on the run's clock."""
        argv = [self.settings.firedrill, "report", self.dir, "--format", "csv"]
        lines = subprocess.run(list(map(str, argv)), capture_output=True, text=True, check=True).stdout.splitlines()
        head = lines[0].split(",")
        at = [head.index(name) for name in ("probe", "scheduled_s", "sent_s", "done_s", "class", "seq")]
        mark = head.index("mark")
        # A late answer is a postscript to a sample, and none of its own.
        rows = [row for row in (line.split(",") for line in lines[1:]) if row[mark] != "late"]
        return [(row[at[0]], float(row[at[1]]), float(row[at[2]]), float(row[at[3]]), row[at[4]], int(row[at[5]]))
                for row in rows]


def percentile(values, share):
    """The smallest value that at least this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)] if ordered else None


def machine():
    """What the figures were taken on."""
    info = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*:\s*(.*)", info)
    memory = re.search(r"MemTotal:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text())
    return {"cpu": model.group(1).strip() if model else os.uname().machine,
            "cores": os.cpu_count(), "kernel": os.uname().release,
            "memory_gib": round(int(memory.group(1)) / 2**20) if memory else None,
            "load": os.getloadavg()[0], "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())}
