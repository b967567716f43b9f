"""The checkers, and how one is run over one file."""

import dataclasses
import os
import pathlib
import re
import subprocess
import tempfile

PATIENCE = 60
SCHEMA = pathlib.Path(__file__).parents[2] / "schema"
# What steps of the files run: only their being there is looked at, and nothing of them is run.
PROGRAMS = ("aws", "kubectl", "terraform")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclasses.dataclass(frozen=True)
class Tool:
    name: str
    side: str                # whose language it reads: "drill", "chaos", or "" for both
    command: tuple
    schemas: bool = False    # is told which schema, by the kind of file

    def words(self, path):
        if not self.schemas:
            return [*self.command, str(path)]
        text = path.read_text()
        kind = "project" if path.name == "firedrill.yaml" else "runbook" if "kind: Runbook" in text else "experiment"
        return [*self.command, "--schemafile", str(SCHEMA / f"{kind}.v1.json"), str(path)]


@dataclasses.dataclass(frozen=True)
class Said:
    code: int
    text: str


def tools(firedrill, peers):
    return [
        Tool("firedrill check", "drill", (str(firedrill), "check")),
        Tool("chaos validate", "chaos", (str(peers / "chaos"), "--no-version-check", "--no-log-file", "validate")),
        Tool("yamllint", "", (str(peers / "yamllint"),)),
        Tool("JSON Schema", "drill", (str(peers / "check-jsonschema"),), schemas=True),
    ]


class Bench:
    """A folder with the programs that the files name, for as long as the checkers run."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)
        programs = self.root / "bin"
        programs.mkdir()
        for name in PROGRAMS:
            (programs / name).write_text("#!/bin/sh\n")
            (programs / name).chmod(0o755)
        home = self.root / "home"
        home.mkdir()
        self.environment = {"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8", "NO_COLOR": "1"}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def run(self, tool, name, text):
        with tempfile.TemporaryDirectory(dir=self.root) as folder:
            path = pathlib.Path(folder) / name
            path.write_text(text)
            # By its name alone, so that no folder's digits are taken for a line.
            words = [os.path.relpath(word, folder) if word == str(path) else word for word in tool.words(path)]
            done = subprocess.run(words, cwd=folder, env=self.environment, capture_output=True, text=True,
                                  timeout=PATIENCE)
            return Said(done.returncode, COLOUR.sub("", done.stdout + done.stderr))
