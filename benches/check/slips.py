"""One slip in one line, at every line of a right file in turn: nobody chose these mistakes.

Some slips do no harm (a line may be left out that says what is usual anyhow, and any word will do in a title), so that no
checker can see all of them. The same slips are made in both languages' files. A line that is indented otherwise and means
the same is no slip.
"""

import concurrent.futures
import pathlib
import re

import yaml

import mistakes

HERE = pathlib.Path(__file__).parent
KEY = re.compile(r"^( *(?:- )?)([A-Za-z_][\w.-]*)(:)(.*)$")


def swapped(line):
    """The key with its second and third letter exchanged."""
    found = KEY.match(line)
    if not found or len(found[2]) < 3 or found[2][1] == found[2][2]:
        return None
    key = found[2]
    return [f"{found[1]}{key[0]}{key[2]}{key[1]}{key[3:]}{found[3]}{found[4]}"]


def valued(value):
    def change(line):
        found = KEY.match(line)
        return [f"{found[1]}{found[2]}:{value}"] if found and found[4].strip() else None
    return change


SLIPS = [
    ("two letters of the key exchanged", swapped),
    ("the line left out", lambda line: []),
    ("the line written twice", lambda line: [line, line]),
    ("indented by a space more", lambda line: [" " + line]),
    ("indented by a space less", lambda line: [line[1:]] if line.startswith(" ") else None),
    ("`banana` for the value", valued(" banana")),
    ("`-5` for the value", valued(" -5")),
    ("the value left out", valued("")),
    ("the colon left out", lambda line: [line.replace(":", "", 1)] if KEY.match(line) else None),
]


def slipped(text):
    """`(slip, line, text)` for every slip at every line that it can be made in."""
    lines = text.splitlines()
    for slip, change in SLIPS:
        for at, line in enumerate(lines):
            wrong = None if line.strip() in ("", "---") else change(line)
            if wrong is None or wrong == [line]:
                continue
            whole = "\n".join(lines[:at] + wrong + lines[at + 1:]) + "\n"
            if not (slip.startswith("indented") and tree(whole) == tree(text)):
                yield slip, at + 1, whole


def tree(text):
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None


def run(bench, tools, workers=2):
    """`{(slip, tool): (made, seen, located)}`; seen is an exit code other than 0, located the line or one beside it."""
    found = {}
    for tool in tools:
        name = "chaos.yaml" if tool.side == "chaos" else "drill.yaml"
        right = (HERE / name).read_text()
        control = bench.run(tool, name, right)
        if control.code:
            raise SystemExit(f"{tool.name} refuses {name}")
        wrong = list(slipped(right))
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            answers = pool.map(lambda one: bench.run(tool, name, one[2]), wrong)
            for (slip, line, _), said in zip(wrong, answers):
                new = mistakes.without(said.text, control.text)
                seen = said.code != 0
                near = any(abs(at - line) <= 1 for at, _ in mistakes.places(new))
                located = seen and near and "Traceback (most recent call last)" not in new
                made, caught, shown = found.get((slip, tool.name), (0, 0, 0))
                found[slip, tool.name] = (made + 1, caught + seen, shown + located)
    return found
