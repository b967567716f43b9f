"""The same mistakes for each checker, and what it made of them, judged by a machine.

A folder of `mistakes/` holds the mistake in each language, and `mistake.json`:

- `mend`: how each file becomes right again, `lines` lines from `line` on being replaced. The mended file is the control,
  which every tool must pass;
- `at`: the places that have to be named, each a list of lines of which one will do;
- `named`: patterns of the words that are wrong, for a tool that names no line;
- `way_out`: patterns of which one must be in what the tool says, if that shows the way out.
"""

import concurrent.futures
import dataclasses
import json
import pathlib
import re

FOLDER = pathlib.Path(__file__).parent / "mistakes"
# `file:3:7`, `  3:7 ` and `line 3, column 7`: every way in which one of the tools names a line.
PLACE = re.compile(r"(?:(?:^\s*|yaml:)(\d+):(\d+)\b)|(?:\blines? (\d+)(?:, column (\d+))?)", re.M)

# `[2026-01-31 12:00:00 INFO] `
STAMP = re.compile(r"^\s*\[[^\]]*\d\d:\d\d:\d\d[^\]]*\] ")


@dataclasses.dataclass(frozen=True)
class Judged:
    tool: str
    mistake: str
    outcome: str      # caught, crashed, warned, missed; "" where the language has no such mistake
    line: bool = False
    named: bool = False
    way_out: bool = False
    place: str = ""
    said: str = ""


def mended(text, mend):
    lines = text.splitlines()
    for change in sorted(mend, key=lambda change: -change["line"]):
        first = change["line"] - 1
        lines[first:first + change["lines"]] = change["right"]
    return "\n".join(lines) + "\n"


def places(text):
    return [(int(a or c), int(b or d or 0)) for a, b, c, d in PLACE.findall(text)]


def without(text, control):
    """The lines of `text` that the control did not get, less the time of day, which would read as a place."""
    plain = lambda whole: [STAMP.sub("", line) for line in whole.splitlines()]
    usual = {line.strip() for line in plain(control)}
    return "\n".join(line for line in plain(text) if line.strip() not in usual)


def judge(tool, mistake, about, said, control):
    new = without(said.text, control.text)
    found = places(new)
    hits = [[place for place in found if place[0] in lines] for lines in about["at"]]
    shown = ", ".join(f"{line}:{column}" if column else f"{line}" for line, column in (hit[0] for hit in hits if hit))
    patterns = [re.compile(word) for word in about["named"]]
    # Every mistake by a word of its own, when there are several.
    few = [bool(word.search(new)) for word in patterns]
    named = bool(few) and (all(few) if len(about["at"]) > 1 and len(few) > 1 else any(few))
    traceback = "Traceback (most recent call last)" in new
    outcome = ("crashed" if traceback else "caught") if said.code else "warned" if new.strip() else "missed"
    return Judged(tool.name, mistake, outcome, line=all(hits) and not traceback, named=named and not traceback,
                  way_out=not traceback and any(re.search(word, new) for word in about["way_out"]), place=shown,
                  said=gist(new))


def gist(text):
    """The one line that says most."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    wanted = [line for line in lines if re.search(r"error|ERROR|warning|Error|::", line)]
    if "Traceback (most recent call last)" in text:
        wanted = lines[-1:]
    wanted.sort(key=lambda line: "::$" not in line)    # check-jsonschema's own, behind its heading
    line = (wanted or lines or [""])[0]
    return " ".join(line.split())


def best(one, other):
    """Of the same tool over either language's file, the one that saw more."""
    rank = lambda judged: (["", "missed", "warned", "crashed", "caught"].index(judged.outcome), judged.line, judged.named)
    return max(one, other, key=rank)


def look(bench, tool, folder, controls):
    mistake = json.loads((folder / "mistake.json").read_text())
    judged = Judged(tool.name, folder.name, "")
    for side in ("drill", "chaos"):
        about = mistake.get(side)
        if not about or tool.side not in ("", side):
            continue
        text = (folder / about["file"]).read_text()
        right = mended(text, about["mend"])
        key = (tool.name, about["file"], right)
        if key not in controls:
            controls[key] = bench.run(tool, about["file"], right)
        control = controls[key]
        if control.code:
            raise SystemExit(f"{folder.name}: {tool.name} refuses the file without the mistake:\n{control.text}\n{right}")
        judged = best(judged, judge(tool, folder.name, about, bench.run(tool, about["file"], text), control))
    return judged


def all_judged(bench, tools, workers=2):
    """`[(mistake, [judged, one for each tool])]`"""
    folders = sorted(path for path in FOLDER.iterdir() if path.is_dir())
    controls, rows = {}, []
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        row = lambda folder: [look(bench, tool, folder, controls) for tool in tools]
        for folder, judged in zip(folders, pool.map(row, folders)):
            rows.append((json.loads((folder / "mistake.json").read_text()), judged))
    return rows, len(controls)
