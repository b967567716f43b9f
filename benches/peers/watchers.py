"""The tools that watch one server each, and what each one's finest output says of its outages.

Every watcher is started on a URL, ended, and then asked for `found()`: outages as dictionaries with
`begin` and `end` (seconds on the common clock), `length` (its estimate), and `lo`, `hi` where the tool
states them. firedrill alone states an interval. The estimate is made as a tool's users would, in the way that
suits it best:

- a tool that records failures, firedrill too: from the start of the first failed check to the start of the next good one
  (the loop of bash and curl prints a line after each check: from line to line, as its users count);
- a tool that records successes alone (hey, oha): the gap between two completed successes, less the
  spacing that they usually have. A gap counts from three spacings on.
"""

import csv
import datetime
import io
import json
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request

from common import BENCH, CLIENT_CORE, SCRATCH, Drill, experiment, from_wall, now, pinned, stop


def runs_of_failures(checks):
    """Outages among (start, good) in order: from the first failure to the next success."""
    found, begin = [], None
    for start, good in checks:
        if not good and begin is None:
            begin = start
        if good and begin is not None:
            found.append({"begin": begin, "end": start, "length": start - begin})
            begin = None
    if begin is not None:
        found.append({"begin": begin, "end": checks[-1][0], "length": None})
    return found


def gaps(completions, spacing):
    """Outages among the instants at which requests succeeded."""
    completions = sorted(completions)
    return [{"begin": a, "end": b, "length": b - a - spacing}
            for a, b in zip(completions, completions[1:]) if b - a > 3 * spacing]


class Firedrill:
    """A real `firedrill run` whose only step is `sleep 0`."""

    def __init__(self, settings, every_ms, more=""):
        self.settings, self.every_ms, self.more = settings, every_ms, more

    def start(self, url, key):
        self.drill = Drill(self.settings, key, experiment("watch", [url], self.every_ms, more=self.more))

    def end(self):
        self.process = self.drill.process
        stop(self.process, signal.SIGINT, 30)

    def found(self):
        report = self.drill.report()
        origin = report["origin"]
        samples = self.drill.samples()
        sent_at = {seq: sent for _, _, sent, _, _, seq in samples}
        known = []
        for outage in report["probes"][0]["outages"]:
            span, end, proof = outage["duration"], outage["end"].get("hi"), outage["proof"]
            first, last = sent_at.get(proof["first_bad"]), sent_at.get(proof["first_good"])
            known.append({"begin": origin + outage["begin"]["lo"], "lo": span["lo"], "hi": span.get("hi"),
                          "end": origin + end if end is not None else None,
                          "length": last - first if None not in (first, last) else None})
        # What it saw and did not call an outage: it reports these as blips, without an interval.
        for _, _, sent, done, kind, _ in samples:
            bad = kind in ("fail_fast", "timeout", "wrong", "slow")
            at = origin + sent
            if bad and not any(one["begin"] <= at <= (one["end"] or at) for one in known):
                known.append({"begin": at, "end": origin + done, "length": None, "blip": True})
        return {"outages": known, "stalls": report["prober"]["stalls"], "lag_ms": report["prober"]["lag_ms"]}


class Program:
    """A tool that is a process and prints what it has at its end."""

    def start(self, url, key):
        self.file = SCRATCH / f"{key}.out"
        self.errors = SCRATCH / f"{key}.err"
        self.began = now()
        with open(self.file, "w") as out, open(self.errors, "w") as err:
            self.process = subprocess.Popen(pinned(CLIENT_CORE, self.argv(url, key)), stdout=out, stderr=err)

    def end(self):
        stop(self.process, signal.SIGINT, 30)

    def rows(self):
        return list(csv.DictReader(io.StringIO(self.file.read_text())))


RATE = 50


class Hey(Program):
    """Its rate is per worker, and its workers tick together: with one, the spacing is even."""

    def __init__(self, workers, *options):
        self.workers, self.options = workers, options

    def argv(self, url, key):
        return ["hey", "-z", "600s", "-c", str(self.workers), "-q", str(RATE // self.workers), "-o", "csv",
                *self.options, url]

    def found(self):
        done = [self.began + float(row["offset"]) + float(row["response-time"])
                for row in self.rows() if row["status-code"] == "200"]
        return {"outages": gaps(done, self.workers / RATE)}


class Oha(Program):
    """Fifty a second in all, as many connections as its default."""

    def __init__(self, *options):
        self.options = options

    def argv(self, url, key):
        return [BENCH / "bin" / "oha", "--no-tui", "-z", "600s", "-q", str(RATE), "--output-format", "csv",
                *self.options, url]

    def found(self):
        done = []
        for row in self.rows():
            if row["status"].startswith("200"):
                done.append(self.began + float(row["request-start"]) + float(row["request-duration"]))
        return {"outages": gaps(done, 1 / RATE)}


class CurlLoop(Program):
    """The usual loop of bash and curl: one line after each check, then a pause."""

    def __init__(self, timeout, pause):
        self.timeout, self.pause = timeout, pause

    def argv(self, url, key):
        # The line's time is that of the shell's clock: EPOCHREALTIME costs no process.
        loop = (f"trap 'exit 0' INT; while :; do if curl -sf -o /dev/null --max-time {self.timeout} {url}; "
                f"then echo $EPOCHREALTIME ok; else echo $EPOCHREALTIME fail; fi; sleep {self.pause}; done")
        return ["bash", "-c", loop]

    def found(self):
        lines = [line.split() for line in self.file.read_text().splitlines()]
        checks = [(from_wall(float(line[0])), line[1] == "ok") for line in lines if len(line) == 2]
        return {"outages": runs_of_failures(checks)}


class ChaosToolkit(Program):
    """Its own HTTP probe as a hypothesis that is checked while the method runs."""

    def __init__(self, frequency, timeout=None):
        self.frequency, self.timeout = frequency, timeout

    def argv(self, url, key):
        provider = {"type": "http", "url": url}
        if self.timeout:
            provider["timeout"] = self.timeout
        probe = {"type": "probe", "name": "service", "tolerance": 200, "provider": provider}
        # It is ended by its own method coming to an end: interrupted, it waits for the method all the same, and a killed one
        # writes no journal.
        self.over = SCRATCH / f"{key}.over"
        self.over.unlink(missing_ok=True)
        wait = {"type": "action", "name": "watch",
                "provider": {"type": "process", "path": "sh",
                             "arguments": ["-c", f"n=0; while [ ! -e {self.over} ] && [ $n -lt 1200 ]; "
                                                 "do n=$((n+1)); sleep 0.5; done"]}}
        file, self.journal = SCRATCH / f"{key}.ctk.json", SCRATCH / f"{key}.journal.json"
        file.write_text(json.dumps({
            "title": "watch", "description": "watch",
            "steady-state-hypothesis": {"title": "the service answers", "probes": [probe]},
            "method": [wait]}))
        return [BENCH / "venv" / "bin" / "chaos", "--no-version-check", "--log-file", SCRATCH / f"{key}.log",
                "run", "--hypothesis-strategy", "during-method-only", "--hypothesis-frequency",
                str(self.frequency), "--journal-path", self.journal, file]

    def end(self):
        self.over.touch()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            super().end()

    def found(self):
        journal = json.loads(self.journal.read_text())
        instant = lambda text: from_wall(datetime.datetime.fromisoformat(text).timestamp())
        checks = []
        for state in journal["steady_states"]["during"]:
            for probe in state["probes"]:
                good = probe["status"] == "succeeded" and probe.get("tolerance_met", False)
                checks.append((instant(probe["start"]), good))
        return {"outages": runs_of_failures(checks)}


class Blackbox:
    """blackbox_exporter, scraped each second as Prometheus would."""

    exporter, port = None, None

    @classmethod
    def serve(cls, free_port):
        """One exporter serves every target, as it does in production."""
        config = SCRATCH / "blackbox.yml"
        config.write_text("modules:\n  http_2xx:\n    prober: http\n    timeout: 900ms\n"
                          "    http: { preferred_ip_protocol: ip4 }\n")
        cls.port = free_port
        argv = ["prometheus-blackbox-exporter", f"--config.file={config}",
                f"--web.listen-address=127.0.0.1:{free_port}"]
        cls.exporter = subprocess.Popen(pinned(CLIENT_CORE, argv), stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)

    @classmethod
    def close(cls):
        if cls.exporter:
            stop(cls.exporter, signal.SIGTERM)

    def start(self, url, key):
        self.checks, self.ending = [], threading.Event()
        self.thread = threading.Thread(target=self._scrape, args=(url,), daemon=True)
        self.thread.start()

    def _scrape(self, url):
        due = time.monotonic()
        while not self.ending.wait(max(0.0, due - time.monotonic())):
            start = now()
            try:
                address = f"http://127.0.0.1:{self.port}/probe?module=http_2xx&target={url}"
                with urllib.request.urlopen(address, timeout=2) as answer:
                    self.checks.append((start, "\nprobe_success 1" in answer.read().decode()))
            except (urllib.error.URLError, OSError):
                # The scrape itself failed: Prometheus has no value for this second.
                pass
            due += 1

    def end(self):
        self.ending.set()
        self.thread.join(4)

    def found(self):
        return {"outages": runs_of_failures(self.checks)}


def everybody(settings):
    """(key, what it is, how it was run, watcher's maker)."""
    return [
        ("firedrill-20ms", "firedrill", "`run`, `every: 20ms`, `slower_than: 30ms`, `timeout: 900ms`",
         lambda: Firedrill(settings, 20, ", slower_than: 30ms, timeout: 900ms")),
        ("firedrill-100ms", "firedrill", "`run`, `every: 100ms`, `slower_than: 100ms`",
         lambda: Firedrill(settings, 100, ", slower_than: 100ms")),
        ("firedrill", "firedrill", "`run`, `every: 100ms`, its defaults (2 s timeout, any latency is good)",
         lambda: Firedrill(settings, 100)),
        ("hey-best", "hey", "50/s, `-c 1 -q 50 -t 1 -disable-keepalive -o csv`",
         lambda: Hey(1, "-t", "1", "-disable-keepalive")),
        ("hey", "hey", "50/s, `-c 5 -q 10 -o csv`, else its defaults (20 s timeout)", lambda: Hey(5)),
        ("oha-best", "oha", "50/s, `-t 30ms --disable-keepalive --latency-correction`",
         lambda: Oha("-t", "30ms", "--disable-keepalive", "--latency-correction")),
        ("oha", "oha", "50/s, its defaults (no timeout)", lambda: Oha()),
        ("blackbox-1s", "blackbox_exporter", "scraped each second, 0.9 s timeout", Blackbox),
        ("curl-best", "bash and curl", "`--max-time 0.1; sleep 0.1`", lambda: CurlLoop(0.1, 0.1)),
        ("curl", "bash and curl", "`--max-time 5; sleep 1`", lambda: CurlLoop(5, 1)),
        ("chaostoolkit-best", "Chaos Toolkit", "`--hypothesis-frequency 0.1`, 0.1 s timeout",
         lambda: ChaosToolkit(0.1, 0.1)),
        ("chaostoolkit", "Chaos Toolkit", "`--hypothesis-frequency 1`, no timeout", lambda: ChaosToolkit(1.0)),
    ]
