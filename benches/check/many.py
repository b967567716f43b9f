"""Ten thousand drills: the bundled experiments under other names, with other numbers and further probes.

The same seed makes the same files.
"""

import os
import pathlib
import random
import re

import measure

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINES = 100
SEED = 7
COUNTS = (1_000, 5_000, 10_000)
ROUNDS = 3
SAMPLE = 500
# yamllint's default rules but for those that the bundled experiments' style breaks: the linters have nothing to print.
RULES = ("{extends: default, rules: {braces: disable, line-length: disable, document-start: disable, comments: disable, "
         "comments-indentation: disable}}")
WORDS = ("basket cart catalogue checkout delivery fraud identity inventory invoices ledger login mail orders payments "
         "prices profile refunds reports reviews search sessions shipping stock tax vouchers").split()


def probe(draw, name):
    """A probe of something that the fault may not touch, in four lines."""
    host = f"{name}.{draw.choice(('shop', 'store', 'pay', 'edge'))}.example.com"
    kind = draw.choice((
        f'http: {{ url: "https://{host}/health", expect: {{ status: 200 }} }}',
        f'http: {{ url: "http://{host}:{draw.randint(8000, 8999)}/ready", timeout: {draw.randint(3, 19)}00ms }}',
        f"tcp: {{ address: {host}:{draw.randint(1024, 65535)} }}",
        f"grpc: {{ address: {host}:{draw.randint(50000, 59999)} }}",
    ))
    return [f"  {name}:", f"    {kind}", f"    every: {draw.randrange(100, 500, 10)}ms", "    must_stay_up: true"]


def step(draw, name):
    """A step that looks, in four lines."""
    at_most = draw.randint(5, 30)
    if draw.random() < 0.5:
        return [f"  - name: see that {name} answers", "    wait_until:",
                f'      http: {{ url: "https://{name}.example.com/ready" }}', f"      within: {at_most}s"]
    return [f"  - name: note the pods of {name}", f"    run: [kubectl, get, pods, --namespace, {name}, --output, wide]",
            f"    timeout: {at_most}s", "    undo: none"]


def drill(number, experiments):
    """The text of one file: 100 lines."""
    draw = random.Random(f"{SEED} {number}")
    text = experiments[number % len(experiments)]
    name = f"{draw.choice(WORDS)}-{number:05}"
    text = re.sub(r"^name: (.+)$", rf"name: \1-{name}", text, count=1, flags=re.M)
    text = re.sub(r"^title: (.+)$", rf"title: \1 ({name})", text, count=1, flags=re.M)
    text = re.sub(r"^owner: .+$", f"owner: {draw.choice(WORDS)}-sre", text, count=1, flags=re.M)
    text = re.sub(r"(steady: .*default: )10s", lambda at: f"{at[1]}{draw.randint(10, 30)}s", text)
    text = re.sub(r"(confirm: .*default: )30s", lambda at: f"{at[1]}{draw.randint(20, 40)}s", text)
    text = re.sub(r"every: 100ms", lambda _: f"every: {draw.randrange(50, 150, 5)}ms", text)
    lines = text.rstrip().splitlines()
    for turn, word in enumerate(draw.sample(WORDS, (LINES - len(lines)) // 4)):
        name = f"{word}-{draw.randint(1, 99)}"
        if turn % 3:
            at = lines.index("probes:") + 1
            lines[at:at] = probe(draw, name)
        else:
            at = next(at for at, line in enumerate(lines) if line.startswith("recovery:")) - 1
            lines[at:at] = step(draw, name)
    lines += [f"# {number}: no more than this"] * (LINES - len(lines))
    return "\n".join(lines) + "\n"


def write(folder, count):
    """The first `count` files, a hundred in each folder."""
    bundled = [path.read_text() for path in sorted((ROOT / "experiments").glob("*.yaml"))]
    experiments = [text for text in bundled if "\nkind: Experiment\n" in text]
    for number in range(count):
        team = folder / f"team-{number // 100:03}"
        team.mkdir(parents=True, exist_ok=True)
        text = drill(number, experiments)
        assert len(text.splitlines()) == LINES, number
        (team / f"drill-{number:05}.yaml").write_text(text)


def measured(bench, argv, folder, rounds):
    core = sorted(os.sched_getaffinity(0))[-1]
    measure.run(argv, folder, bench.environment)    # the files are in memory from here on
    for_all, alone = [], []
    for _ in range(rounds):
        for_all.append(measure.run(argv, folder, bench.environment))
        alone.append(measure.run(argv, folder, bench.environment, cores=[core]))
    if any(run.code for run in for_all + alone):
        raise SystemExit(f"{argv[0]} finds something wrong in the files, which are to be right")
    return {"wall": measure.spread([run.wall for run in for_all]), "cpu": measure.spread([run.cpu for run in for_all]),
            "alone": measure.spread([run.wall for run in alone]),
            "memory": max(measure.peak(argv, folder, bench.environment) for _ in range(2))}


def run(bench, firedrill, yamllint, ryl, say):
    found = {"firedrill": {}, "sample": SAMPLE, "rounds": ROUNDS}
    for count in COUNTS:
        folder = bench.root / f"many-{count}"
        write(folder, count)
        found["firedrill"][count] = measured(bench, [firedrill, "check", "."], folder, ROUNDS)
        say(f"{count} files: {found['firedrill'][count]}")
    found["ryl"] = measured(bench, [*ryl, "-d", RULES, "."], bench.root / f"many-{COUNTS[-1]}", ROUNDS)
    say(f"ryl: {found['ryl']}")
    sample = bench.root / "sample"
    write(sample, SAMPLE)
    found["yamllint"] = measured(bench, [yamllint, "-d", RULES, "."], sample, 1)
    say(f"yamllint: {found['yamllint']}")
    found["bytes"] = sum(path.stat().st_size for path in (bench.root / f"many-{COUNTS[-1]}").rglob("*.yaml")) / COUNTS[-1]
    return found
