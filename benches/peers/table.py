"""docs/benchmarks.md, written from the raw results alone."""

import outages
from common import RESULTS, ROOT, stored

TABLE = ROOT / "docs" / "benchmarks.md"


def write(command):
    parts = [head(command), outage_part(), pacing_part(), cost_part(), rate_part(), workload_part()]
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text("\n".join(part for part in parts if part))


def head(command):
    build = stored("build") or {}
    versions = "; ".join(f"{name} {version}" for name, version in build.get("versions", {}).items())
    text = ("# Benchmarks\n\n"
            "What firedrill measures, held against known outages and beside its peers, in one run on one machine.\n"
            f"`{command}` makes this page; it installs the peers (into `.bench/`, which git ignores), builds firedrill\n"
            "optimised, and keeps the raw data in `.bench/results/`. Everything is on loopback: servers on one core,\n"
            "what asks on the other.\n\n")
    if build.get("machine"):
        one = build["machine"]
        text += (f"Machine: {one['cpu']}, {one['cores']} cores, {one['memory_gib']} GiB, Linux {one['kernel']}; "
                 f"{one['date']}; load {one['load']:.2f} before it began.\n\nVersions: {versions}.\n")
    if build.get("seconds"):
        text += f"\nThe optimised build took {build['seconds']:.0f} s.\n"
    if build.get("quick"):
        text += "\n**Made with `--quick`: too few of everything to rest on.**\n"
    return text


def ms(seconds, signed=False):
    if seconds is None:
        return "–"
    value = seconds * 1000
    return f"{value:+.1f}" if signed else f"{value:.1f}"


def row(*cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |\n"


def bar(met):
    return "met" if met else "**missed**"


def outage_part():
    data = stored("outages")
    if not data:
        return ""
    cells, lengths = data["cells"], [one[0] for one in data["lengths"]]
    text = ("\n## Outages: seen, and how long\n\n"
            "A truth server goes down and up at random phases in the modes "
            f"{', '.join(data['modes'])}, and stamps each edge around the very system call that makes it. Every tool\n"
            "watches a server of its own, all at the same time. *Seen*: any failed check in it (for tools that keep only\n"
            "successes: a gap of three spacings). *Bias* is the mean of estimate minus truth, *error* its size;\n"
            "the estimate is from the first failed check's start to the next good one's, for hey and oha the gap between\n"
            "completed successes. *Length*: for how many of the outages the tool's\n"
            "output gives one at all. *Inside*: the truth lay within the stated interval (while the server had no\nprocessor it did not answer: that much wider is the truth, for every tool). *False*: outages\n"
            "reported where there was none (in brackets: single bad answers that were not called an outage). Times in ms.\n\n")
    text += row("tool", "how it was run", "n", "seen", "length", "bias", "error p50", "error p95", "interval", "inside",
                "width p50 / max", "false")
    text += row("---", "---", *["---:"] * 10)
    for key, tool, how in data["tools"]:
        one = outages.judged([cell for cell in cells if cell["tool"] == key])
        if not one["n"]:
            continue
        if one["unreadable"]:
            how += f" ({one['unreadable']} outputs unreadable)"
        interval = f"{one['intervals']} of {one['with_length']}" if one["intervals"] else "none"
        inside = f"{100 * one['inside'] / one['intervals']:.1f} %" if one["intervals"] else "cannot answer"
        width = f"{ms(one['width_p50'])} / {ms(one['width_max'])}" if one["intervals"] else "–"
        text += row(f"**{tool}**" if tool == "firedrill" else tool, how, one["n"],
                    f"{100 * one['seen'] / one['n']:.1f} %", f"{100 * one['with_length'] / one['n']:.0f} %",
                    ms(one["bias"], True), ms(one["p50"]), ms(one["p95"]), interval, inside, width, f"{one['false']} ({one['blips']})" if one["blips"] else one["false"])
    text += outage_bars(cells, data["modes"])
    text += "\n### Seen, by the outage's length\n\n"
    text += row("tool", "how it was run", *[f"{length:g} s" for length in lengths])
    text += row("---", "---", *["---:"] * len(lengths))
    for key, tool, how in data["tools"]:
        found = [outages.judged([cell for cell in cells if cell["tool"] == key and cell["length"] == length])
                 for length in lengths]
        text += row(tool, how, *[f"{100 * one['seen'] / one['n']:.0f} % of {one['n']}" if one["n"] else "–"
                                 for one in found])
    text += "\n### Bias and p95 of the error, by mode (ms)\n\n"
    text += row("tool", "how it was run", *data["modes"])
    text += row("---", "---", *["---:"] * len(data["modes"]))
    for key, tool, how in data["tools"]:
        found = [outages.judged([cell for cell in cells if cell["tool"] == key and cell["mode"] == mode])
                 for mode in data["modes"]]
        text += row(tool, how, *[f"{ms(one['bias'], True)} / {ms(one['p95'])}" for one in found])
    return text


def outage_bars(cells, modes):
    """The bars of the sharpest probe: spacing 20 ms."""
    own = [cell for cell in cells if cell["tool"] == "firedrill-20ms"]
    every = outages.judged(own)
    stop = outages.judged([cell for cell in own if cell["mode"] in ("refuse", "503")])
    if not every["intervals"] or not stop["intervals"]:
        return ""
    return ("\nBars, for the probe of 20 ms: every outage longer than two spacings seen "
            f"({bar(every['seen'] == every['n'])}); truth inside in at least 99.9 % "
            f"({bar(every['inside'] >= 0.999 * every['intervals'])}, n = {every['intervals']}; `firedrill calibrate` plays "
            "more); width at most two spacings and\n5 ms for faults that fail at once (refuse, 503): median "
            f"{ms(stop['width_p50'])}, largest {ms(stop['width_max'])} ms ({bar(stop['width_p50'] <= 0.045)} by the median, "
            f"{bar(stop['width_max'] <= 0.045)} by the largest); every peer worse on bias, or without an interval "
            "(met: no other\ntool states an interval, and of hey and oha even the outage is read off here, by us).\n")


def pacing_part():
    data = stored("pacing")
    if not data:
        return ""
    text = ("\n## Pacing\n\nHow late samples are sent, beside a bare thread that sleeps to absolute instants in the same\n"
            "seconds: the floor of this machine. Bar: p99 at most 1.5 times the bare thread's. Times in µs.\n\n")
    text += row("samples/s", "n", "bare p50 / p99 / max", "firedrill p50 / p99 / max", "p99 ratio", "not sent", "bar")
    text += row(*["---:"] * 6, "---")
    for one in data["runs"]:
        bare, own = one["bare"], one["firedrill"]
        ratio = own["p99"] / bare["p99"] if bare["p99"] else float("inf")
        show = lambda found: f"{found['p50']:.0f} / {found['p99']:.0f} / {found['max']:.0f}"
        text += row(one["rate"], own["n"], show(bare), show(own), f"{ratio:.2f}", one["shed"], bar(ratio <= 1.5))
    return text


def cost_part():
    data, soaked = stored("cost"), stored("soak")
    text = ""
    if data:
        text += ("\n## Cost\n\nA whole `firedrill run` over HTTP, samples to disk, from /proc. Bar: under 2 % of a core\n"
                 "at 100/s with kept connections.\n\n")
        text += row("samples/s", "connections", "seconds", "% of a core", "µs per sample", "RSS MiB", "coverage",
                    "lag p50 / p99 / max, µs", "bar")
        text += row("---:", "---", *["---:"] * 6, "---")
        for one in data["runs"]:
            lag = one["lag_us"]
            judged = bar(one["cpu_percent"] < 2) if (one["rate"], one["connection"]) == (100, "kept") else ""
            text += row(one["rate"], one["connection"], one["seconds"], f"{one['cpu_percent']:.2f}",
                        f"{one['cpu_us_per_sample']:.0f}", f"{one['rss_mib_max']:.1f}",
                        f"{100 * one['coverage']:.2f} %",
                        f"{lag['p50']:.0f} / {lag['p99']:.0f} / {lag['max']:.0f}", judged)
        text += beside(data)
    if soaked:
        one = soaked["run"]
        met = one["rss_mib_max"] < 48
        text += (f"\nMemory over {one['seconds'] / 60:.1f} minutes at {one['rate']}/s "
                 f"({one['scheduled']} samples): at most {one['rss_mib_max']:.1f} MiB, slope over the second half\n"
                 f"{one['slope_kib_per_min']:+.1f} KiB a minute (bar: flat, under 48 MiB: {bar(met)}); "
                 f"{one['bytes_per_sample']:.1f} bytes a sample on disk.\n"
                 "It ran beside the outages above.\n")
    return text


def beside(data):
    """What the same requests cost others."""
    if not data.get("others"):
        return ""
    own = next(one["cpu_percent"] for one in data["runs"] if (one["rate"], one["connection"]) == (100, "kept"))
    text = ("\nThe same 100 requests a second over one kept connection, in the same minutes. The bare loop is the least: one\n"
            "thread that sleeps, writes, reads, and keeps nothing.\n\n" + row("tool", "% of a core", "firedrill takes")
            + row("---", "---:", "---:"))
    for one in data["others"]:
        text += row(one["tool"], f"{one['cpu_percent']:.2f}", f"{own / one['cpu_percent']:.2f} times that")
    return text


def rate_part():
    data = stored("rate")
    if not data:
        return ""
    text = ("\n## The highest honest rate\n\nFresh connections, everything that asks on one core. firedrill: the rate up to\n"
            "which coverage is at least 99.9 % and 99 of 100 samples leave within half of their spacing. The peers run as\n"
            "fast as they can (closed loop: no schedule to keep).\n\n")
    text += row("tool", "requests/s", "% of the core", "lag p99, µs", "coverage")
    text += row("---", *["---:"] * 4)
    for one in data["steps"]:
        text += row("firedrill" + ("" if one["kept"] else " (schedule not kept)"), one["rate"], f"{one['cpu_percent']:.0f}" if one["cpu_percent"] >= 0 else "–",
                    f"{one['lag_us']['p99']:.0f}", f"{100 * one['coverage']:.2f} %")
    for one in data["peers"]:
        rate = f"{one['per_second']:.0f}" if one["per_second"] else "no answer"
        text += row(one["tool"], rate, f"{one['cpu_percent']:.0f}", "no schedule", "–")
    return text


def workload_part():
    ledger, report = stored("ledger"), stored("report")
    text = ""
    if ledger or report:
        text += "\n## Judging and reporting\n\n"
    if ledger:
        text += (f"The ledger's checker judged {ledger['operations']:.0e} operations ({ledger['lost']} planted losses, all "
                 f"found) in {ledger['checker_s'] * 1000:.0f} ms (bar: under 2 s: {bar(ledger['checker_s'] < 2)}); "
                 f"putting the samples in order took {ledger['timeline_s']:.2f} s more.\n\n")
    if report:
        text += row("report of", "format", "seconds", "peak RSS MiB")
        text += row("---", "---", "---:", "---:")
        for one in report["formats"]:
            text += row(f"{report['samples']:.0e} samples of {report['probes']} probes "
                        f"({report['bytes'] / 2**20:.0f} MiB)", one["format"], f"{one['seconds']:.2f}",
                        f"{one['peak_mib']:.0f}")
    return text
