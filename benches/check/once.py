"""One file, from start to exit: every tool in turn, many rounds, so that what else the machine does hits all alike."""

import os
import shutil

import measure

ROUNDS = 40


def run(bench, commands, rounds=None):
    """`commands` is `[(name, argv)]`; gives for each its spread in seconds, processor seconds and MiB."""
    rounds = rounds or ROUNDS
    folder = bench.root / "once"
    folder.mkdir()
    here = os.path.dirname(__file__)
    for name in ("drill.yaml", "chaos.yaml"):
        shutil.copy(os.path.join(here, name), folder)
    runs = {name: [] for name, _ in commands}
    for turn in range(rounds + 1):
        for name, argv in commands:
            done = measure.run(argv, folder, bench.environment)
            if done.code:
                raise SystemExit(f"{name} refuses the file that it is timed with: exit {done.code}")
            if turn:    # the first warms the caches
                runs[name].append(done)
    found = []
    for name, argv in commands:
        memory = [measure.peak(argv, folder, bench.environment) for _ in range(3)]
        found.append({"tool": name, "wall": measure.spread([run.wall for run in runs[name]]),
                      "cpu": measure.spread([run.cpu for run in runs[name]]), "memory": max(memory), "rounds": rounds})
    return found
