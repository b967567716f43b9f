"""docs/check.md from what was found."""

import os
import pathlib
import re

TOOLS = {"firedrill check": "firedrill check", "chaos validate": "chaos validate", "yamllint": "yamllint",
         "JSON Schema": "JSON Schema"}
BAR_CPU, BAR_ONCE, BAR_FLAT = 1.0, 0.005, 0.1


def cell(judged):
    if not judged.outcome:
        return "–"
    if judged.outcome == "missed":
        return "no"
    if judged.outcome == "crashed":
        return "traceback"
    where = judged.place if judged.line else "by name" if judged.named else "nowhere"
    return f"{'warns' if judged.outcome == 'warned' else 'yes'}, {where}{', way out' if judged.way_out else ''}"


def counts(rows, at):
    """Of the mistakes that the tool's language can hold."""
    all_of = [judged[at] for _, judged in rows if judged[at].outcome]
    of = lambda test: sum(1 for judged in all_of if test(judged))
    return {"of": len(all_of), "caught": of(lambda j: j.outcome in ("caught", "crashed")),
            "warned": of(lambda j: j.outcome == "warned"), "crashed": of(lambda j: j.outcome == "crashed"),
            "missed": of(lambda j: j.outcome == "missed"), "line": of(lambda j: j.line),
            "named": of(lambda j: j.line or j.named), "way_out": of(lambda j: j.way_out)}


def totals(rows, names):
    found = [counts(rows, at) for at in range(len(names))]
    lines = ["| | " + " | ".join(names) + " |", "| --- |" + " ---: |" * len(names)]
    for title, key in (("mistakes that its language can hold", "of"), ("caught: exit code not 0", "caught"),
                       ("… of these by a Python traceback", "crashed"), ("warned, exit code 0", "warned"), ("not seen", "missed"),
                       ("located: the line, and mostly the column", "line"), ("located, or the wrong word or its step named", "named"),
                       ("says what to do", "way_out")):
        lines.append(f"| {title} | " + " | ".join(str(one[key]) for one in found) + " |")
    return lines


def shared(rows):
    """The mistakes that both languages can hold."""
    return [(about, judged) for about, judged in rows if judged[0].outcome and judged[1].outcome]


def slips_table(found, names):
    kinds = list(dict.fromkeys(kind for kind, _ in found))
    lines = ["| slip, at every line in turn | " + " | ".join(names) + " |", "| --- |" + " ---: |" * len(names)]
    show = lambda one: f"{one[1]} of {one[0]}; {one[2]}"
    for kind in kinds:
        lines.append(f"| {kind} | " + " | ".join(show(found[kind, name]) for name in names) + " |")
    total = lambda name: [sum(found[kind, name][at] for kind in kinds) for at in range(3)]
    return lines + ["| all | " + " | ".join(show(total(name)) for name in names) + " |"]


def ms(seconds):
    return f"{seconds * 1000:.1f}" if seconds < 0.1 else f"{seconds * 1000:.0f}"


def times(ratio):
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.2g}"


def once_table(found):
    first = found[0]["wall"]["median"]
    lines = ["| | start to exit, ms: min | median | max | times firedrill | processor, ms | peak memory, MiB |",
             "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for one in found:
        wall = one["wall"]
        lines.append(f"| {one['tool']} | {ms(wall['min'])} | {ms(wall['median'])} | {ms(wall['max'])} | "
                     f"{times(wall['median'] / first)} | {ms(one['cpu']['median'])} | {one['memory']:.1f} |")
    return lines


def many_table(found):
    lines = ["| | files | seconds | files/s | processor, s | of a core, µs a file | one core alone, s | peak memory, MiB |",
             "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    rows = [("firedrill check", count, one) for count, one in found["firedrill"].items()]
    rows += [("ryl", max(found["firedrill"]), found["ryl"]), ("yamllint", found["sample"], found["yamllint"])]
    for tool, count, one in rows:
        wall, cpu = one["wall"]["median"], one["cpu"]["median"]
        lines.append(f"| {tool} | {count:,} | {wall:.2f} | {count / wall:,.0f} | {cpu:.2f} | {cpu / count * 1e6:,.0f} | "
                     f"{one['alone']['median']:.2f} | {one['memory']:.0f} |")
    return lines


def bars(once, many):
    all_files = max(many["firedrill"])
    cpu = many["firedrill"][all_files]["cpu"]["median"]
    wall = once[0]["wall"]
    sizes = [one["memory"] for one in many["firedrill"].values()]
    # What a further file costs, of its own size: nothing that is in it may be kept.
    kept = (sizes[-1] - sizes[0]) * 2**20 / (all_files - min(many["firedrill"]))
    counts_of = " / ".join(f"{count:,}" for count in many["firedrill"])
    met = lambda good: "met" if good else "**not met**"
    return ["| bar | figure | |", "| --- | --- | --- |",
            f"| {all_files:,} files in less than {BAR_CPU:g} s of a core, user and system | {cpu:.2f} s | {met(cpu < BAR_CPU)} |",
            f"| one file in less than {BAR_ONCE * 1000:g} ms, start to exit | {ms(wall['median'])} ms (median), {ms(wall['min'])} ms "
            f"(least) | {met(wall['median'] < BAR_ONCE)} |",
            f"| memory is flat: a further file costs less than a tenth of its size | {' / '.join(f'{size:.0f}' for size in sizes)} MiB "
            f"for {counts_of} files: {kept:.0f} bytes a file of {many['bytes']:.0f} | {met(kept < BAR_FLAT * many['bytes'])} |"]


def escaped(text):
    return re.sub(r"([|<>*])", r"\\\1", text.replace("`", "'"))


def said(rows, names):
    lines = []
    for number, (about, judged) in enumerate(rows, 1):
        lines.append(f"{number}. {about['mistake']}")
        for name, one in zip(names, judged):
            if one.outcome and one.outcome != "missed":
                lines.append(f"   - {name}: {escaped(one.said)}")
    return lines


def machine():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.+)", text)
    return f"{model.group(1) if model else os.uname().machine}, {os.cpu_count()} cores, Linux {os.uname().release}; load {os.getloadavg()[0]:.1f} at the end of it"


def page(rows, names, controls, slipped, once, many, versions):
    both = shared(rows)
    table = ["| | mistake | " + " | ".join(names) + " |", "| ---: | --- |" + " --- |" * len(names)]
    for number, (about, judged) in enumerate(rows, 1):
        note = f" ({about['note']})" if "note" in about else ""
        table.append(f"| {number} | {about['mistake'].replace('|', chr(92) + '|')}{note} | " + " | ".join(map(cell, judged)) + " |")
    chaos = next(one for one in once if one["tool"] == "chaos validate")["wall"]["median"]
    sample = many["sample"]
    text = f"""# The checker beside its peers

`benches/check.sh` makes this page: the same mistakes, then the same files, for `firedrill check`, `chaos validate` (Chaos Toolkit),
yamllint with its default rules, and `check-jsonschema` with firedrill's own schemas. Versions: {versions}.
Machine: {machine()}.

## Mistakes

{len(rows)} mistakes, each a folder of `benches/check/mistakes/`: the same mistake in a Chaos Toolkit experiment and in a firedrill one, as far as
both languages can hold it. A machine judges. Every file passes every tool that reads it ({controls} runs) once that one mistake is mended, and
`mistake.json` says how; so what a tool says of the file with it is about the mistake.

- **yes**: the exit code is not 0. **warns**: it is 0, and the tool says something. **no**: it says nothing. **traceback**: it broke down.
- **31:7**: it names the line, and the column. **by name**: it quotes what is wrong, or the step that it is in, and the reader has to look.
- **way out**: it says what would be right. **–**: the language cannot hold the mistake, and it is not counted.

yamllint is given the files of both languages, and the better answer counts.

Who chose them: the first 18 are the kinds that were tried on Chaos Toolkit before firedrill was compared with it; the next 33, and the three that only
Chaos Toolkit's language can hold, were chosen for this page, with what `chaos validate` looks for read from its source; the rest is what
firedrill's own language can hold, and says what its checker is for. It is one side's choice all the same, and
three that firedrill did not see at first (a region, an access key, a pipe) it sees since. Nobody chose the slips below.

{chr(10).join(totals(rows, names))}

Of the {len(both)} mistakes alone that both languages can hold:

{chr(10).join(totals([(about, judged[:2]) for about, judged in both], names[:2]))}

`chaos validate` also refuses a file while an environment variable that it names is not set. firedrill does that in `plan` and `run`: a
check in CI has no secrets. `chaos validate` ends at the first mistake; firedrill reports all of a file's at once.

{chr(10).join(table)}

## Slips

Every line of `benches/check/drill.yaml` and of `benches/check/chaos.yaml` in turn gets the same slips. *23 of 24; 20*: 23 of the 24 files with this slip
are refused, 20 of them with the line, or the one beside it, in the message. No checker can refuse them all: many leave a right file,
in which a title is another one, or a value the usual one.

{chr(10).join(slips_table(slipped, names))}

## One file

{once_rounds(once)} All of it counts: starting the interpreter, importing, reading, checking. `/bin/true` is what starting any program costs
here, and ryl is a YAML linter in Rust, with yamllint's default rules, that knows nothing of drills. The files are `benches/check/drill.yaml` and
`benches/check/chaos.yaml`, about {lines_of()} lines each.

{chr(10).join(once_table(once))}

## Many files

The bundled experiments under other names, with other numbers, further probes and steps: all different, all without an error or a warning, 100
lines and {many['bytes'] / 1000:.1f} kB each, the same ones each time. Each run is one process over one folder, the files being in memory already; medians of
{many['rounds']} runs. *One core alone* is the time from start to exit when the process may use one core only. The two linters do without
the rules that the files' style breaks (braces, long lines), so that they have nothing to print.

{chr(10).join(many_table(many))}

yamllint's row is {sample} of the files: {many['yamllint']['cpu']['median'] / sample * 1000:.1f} ms of a core each. `chaos validate` takes one file at a time, {ms(chaos)} ms each
as above: {chaos * max(many['firedrill']) / 60:.0f} minutes for {max(many['firedrill']):,}.

## The bars

{chr(10).join(bars(once, many))}

## What they said

The line that says most of each answer.

{chr(10).join(said(rows, names))}
"""
    return text


def lines_of():
    here = pathlib.Path(__file__).parent
    return round(sum(len((here / name).read_text().splitlines()) for name in ("drill.yaml", "chaos.yaml")) / 2)


def once_rounds(once):
    return f"Start to exit, {once[0]['rounds']} rounds, every tool in turn in each."
