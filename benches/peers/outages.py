"""Part outages: the same outages, watched by every tool in the same minutes.

Each tool watches a truth server of its own (one process each, same seed), so that none changes what another
one sees. All modes and tools run at once; the lengths come one after the other.
"""

import random
import socket
import threading
import time

import common
import watchers
from common import Truth, percentile, say, store

MODES = ["refuse", "blackhole", "hang", "503"]
# (length, how many, pause between) in seconds. The pause is longer than what a tool needs to see the end.
LENGTHS = [(0.05, 16, 2.0), (0.15, 14, 2.0), (0.5, 12, 2.0), (1.5, 10, 2.5), (4.0, 6, 3.0), (12.0, 3, 5.0)]
QUICK = [(0.15, 4, 2.0), (1.5, 3, 2.5)]


def run(settings, modes=None, only=None):
    """Plays every length and stores what each tool made of it."""
    lengths = QUICK if settings.quick else LENGTHS
    modes = modes or MODES
    tools = [tool for tool in watchers.everybody(settings) if not only or tool[0] in only]
    common.SCRATCH.mkdir(parents=True, exist_ok=True)
    watchers.Blackbox.serve(free_port())
    cells = []
    try:
        for number, (length, count, pause) in enumerate(lengths):
            say(f"  outages of {length:g} s: {count} in each of {len(modes)} modes, {len(tools)} tools")
            # Rotated, so that no tool is always started first.
            turned = tools[number % len(tools):] + tools[:number % len(tools)]
            cells += cell(settings, modes, turned, length, count, pause, 1000 + number)
    finally:
        watchers.Blackbox.close()
    store("outages", {"machine": common.machine(), "modes": modes,
                      "lengths": [list(one) for one in lengths],
                      "tools": [[key, tool, how] for key, tool, how, _ in tools], "cells": cells})


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cell(settings, modes, tools, length, count, pause, seed):
    """One length: every mode and tool at once."""
    watching, cells = [], []
    try:
        for mode in modes:
            for key, _, _, make in tools:
                truth = Truth(settings, mode, count, length, pause, seed)
                watcher = make()
                watching.append((mode, key, truth, watcher))
                watcher.start(truth.url, f"{key}-{mode}-{length:g}")
        # Every tool is up and has seen good answers: the slowest needs two seconds to start alone.
        time.sleep(6 if len(watching) > 12 else 4)
        phase = random.Random(seed)
        for _, _, truth, _ in watching:
            truth.go()
            time.sleep(phase.uniform(0, 0.02))
        bound = count * (1.3 * length + 2.5 * pause) + 30
        deadline = time.monotonic() + bound
        for _, _, truth, _ in watching:
            truth.over.wait(max(0.1, deadline - time.monotonic()))
        time.sleep(2)
    finally:
        # All at once: some take half a minute to leave.
        leaving = [threading.Thread(target=ended, args=(watcher,)) for _, _, _, watcher in watching]
        for thread in leaving:
            thread.start()
        for thread in leaving:
            thread.join()
        for _, _, truth, _ in watching:
            truth.close()
    for mode, key, truth, watcher in watching:
        try:
            found = watcher.found()
        except Exception as error:
            say(f"    {key}, {mode}: its output cannot be read: {error!r}")
            found = {"outages": [], "unreadable": repr(error)}
        cells.append({"mode": mode, "tool": key, "length": length, "truth": truth.outages,
                      "starved": truth.starved, **found})
    return cells


def ended(watcher):
    try:
        watcher.end()
    except Exception as error:
        say(f"    a watcher did not end: {error}")


def widened(outage, starved):
    """The truth of an outage, when the server says that it had no processor next to it: until it had one, it did not answer."""
    (first, down), (up, last) = outage["down"], outage["up"]
    for begin, end in sorted(starved):
        if begin <= last + 0.002 and end > last:
            last = end
    for begin, end in sorted(starved, reverse=True):
        if end >= first - 0.002 and begin < first:
            first = begin
    return {"down": [first, down], "up": [up, last]}


def matched(cell):
    """Each true outage with what the tool says of it, and what the tool says beside them."""
    true = [widened(one, cell["starved"]) for one in cell["truth"]]
    middles = [(one["up"][1] + two["down"][0]) / 2 for one, two in zip(true, true[1:])]
    edges = [true[0]["down"][0] - 1.0, *middles, true[-1]["up"][1] + 3.0] if true else []
    pairs, used = [], set()
    for index, outage in enumerate(true):
        # A bad answer is decided after the edge, never before it; clocks of peers are off by some milliseconds.
        low, high = max(edges[index], outage["down"][0] - 0.25), min(edges[index + 1], outage["up"][1] + 1.5)
        here = [number for number, one in enumerate(cell["outages"])
                if one["begin"] <= high and (one["end"] is None or one["end"] >= low)]
        # One that a tool stretches over several true ones has been seen in each, and has one length.
        pairs.append((outage, [cell["outages"][number] if number not in used
                               else {**cell["outages"][number], "length": None} for number in here]))
        used.update(here)
    # What was seen before the first or after the last is not held against anybody: tools start and stop there.
    # Nor what was seen while the server says that it had no processor: it did not answer then.
    starved = lambda one: any(one["begin"] <= end + 0.1 and (one["end"] or one["begin"]) >= begin - 0.1
                              for begin, end in cell["starved"])
    false = [one for number, one in enumerate(cell["outages"]) if number not in used and true
             and edges[0] < one["begin"] < edges[-1] and not starved(one)]
    return pairs, false


def judged(cells):
    """What one tool made of some cells."""
    total = seen = inside = stated = 0
    errors, widths, false, blips, unreadable = [], [], 0, 0, 0
    for cell in cells:
        unreadable += "unreadable" in cell
        pairs, extra = matched(cell)
        false += sum(not one.get("blip") for one in extra)
        blips += sum(bool(one.get("blip")) for one in extra)
        for outage, found in pairs:
            total += 1
            seen += bool(found)
            least = outage["up"][0] - outage["down"][1]
            most = outage["up"][1] - outage["down"][0]
            said = [one for one in found if one.get("length") is not None]
            if said:
                # A tool that saw one outage as several is given their sum.
                errors.append(sum(one["length"] for one in said) - (least + most) / 2)
            bounded = [one for one in said if one.get("hi") is not None]
            if bounded:
                stated += 1
                low, high = sum(one["lo"] for one in bounded), sum(one["hi"] for one in bounded)
                widths.append(high - low)
                inside += low <= most and high >= least
    return {"n": total, "seen": seen, "with_length": len(errors), "false": false, "blips": blips, "unreadable": unreadable,
            "bias": sum(errors) / len(errors) if errors else None,
            "p50": percentile([abs(error) for error in errors], 0.5),
            "p95": percentile([abs(error) for error in errors], 0.95),
            "intervals": stated, "inside": inside,
            "width_p50": percentile(widths, 0.5), "width_max": max(widths) if widths else None}
