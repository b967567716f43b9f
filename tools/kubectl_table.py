#!/usr/bin/env python3
"""Writes the table of kubectl's commands that `firedrill check` holds command lines against.

    tools/kubectl_table.py > src/command/kubectl/table.txt

It asks the kubectl of this machine for its help; no cluster is needed. The form of the table is described in
src/command/flags.rs.
"""

import json
import os
import re
import subprocess
import sys

# Groups that also do something without a subcommand.
RUN_ALONE = ("apply", "cluster-info", "create")
# Accepted, and not shown by any help.
HIDDEN = ("record",)
# A value that is given behind `=` only, and what it may be.
ATTACHED = {
    "dry-run": "o|none|server|client",
    "cascade": "o|background|orphan|foreground",
    "validate": "o|strict|warn|ignore|true|false",
}
REQUIRED = {
    "autoscale": ["max"],
    "create deployment": ["image"],
    "create cronjob": ["image", "schedule"],
    "run": ["image"],
    "scale": ["replicas"],
    "wait": ["for"],
}
FLAG = re.compile(r"^ +(?:-(?P<short>\w), )?--(?P<name>[\w-]+)=(?P<default>.*):$")


def run(*words):
    environment = {**os.environ, "KUBECONFIG": "/dev/null"}
    return subprocess.run(["kubectl", *words], capture_output=True, text=True, env=environment)


def kind(name, default):
    if name in ATTACHED:
        return ATTACHED[name]
    if default in ("true", "false"):
        return "b"
    if re.fullmatch(r"-?\d+", default):
        return "i"
    if re.fullmatch(r"(\d+(h|m|s|ms))+", default):
        return "d"
    return ""


def flags(text, required=()):
    found = []
    for line in text.splitlines():
        match = FLAG.match(line)
        if not match:
            continue
        name, short, default = match["name"], match["short"], match["default"]
        of = kind(name, default)
        mark = "!" if name in required else ""
        found.append(mark + name + (f",{short}" if short else "") + (f":{of}" if of else ""))
    return found


def walk(path, lines):
    text = run(*path, "--help").stdout
    # "Available Commands:", "Basic Commands (Beginner):", …; an entry has two spaces, a name and its description.
    names = []
    for section in re.findall(r"^[A-Z][\w ]*Commands[^\n]*:\n((?:  \S[^\n]*\n)+)", text, re.M):
        names += [line.split()[0] for line in section.splitlines()]
    if path:
        hidden = [name for name in HIDDEN if run(*path, f"--{name}", "--help").returncode == 0]
        own = flags(text, REQUIRED.get(" ".join(path), ()))
        own += [f"{name}:b" for name in hidden if names == []]
        nature = "-" if not names else "*" if path[-1] in RUN_ALONE else "+"
        lines[" ".join(path)] = " ".join([nature, *own])
        aliases = re.search(r"^Aliases:\n(.*)$", text, re.M)
        for alias in aliases[1].split(", ") if aliases else []:
            lines.setdefault(" ".join([*path[:-1], alias.strip()]), lines[" ".join(path)])
    for name in names:
        walk([*path, name], lines)


def main():
    version = json.loads(run("version", "--client", "-o", "json").stdout)["clientVersion"]["gitVersion"]
    lines = {"*": " ".join(["-", *flags(run("options").stdout)])}
    walk([], lines)
    sys.stdout.write(f"# kubectl {version.split('-')[0]}\n")
    for path in sorted(lines, key=str.encode):
        sys.stdout.write(f"{path}\t{lines[path]}\n")


if __name__ == "__main__":
    main()
