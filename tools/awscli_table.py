#!/usr/bin/env python3
"""Writes the table of AWS CLI commands that `firedrill check` holds command lines against.

    .test/awscli/bin/python tools/awscli_table.py > src/command/aws/table.txt

The table is read from the AWS CLI's own parsers, which the CLI builds from botocore's service models and its
customisations (renames, hidden options, commands of its own). What only version 2 of the CLI has stands in this
file, in V2 and V2_OPTIONS. The form of the table is described in src/command/aws/table.rs.
"""

import argparse
import logging
import os
import sys

# A configuration of this machine would add its own aliases and plugins.
os.environ["AWS_CONFIG_FILE"] = "/nonexistent"
os.environ["AWS_SHARED_CREDENTIALS_FILE"] = "/nonexistent"
os.environ.pop("AWS_PROFILE", None)

import awscli
import botocore
from awscli.argparser import ArgTableArgParser
from awscli.argprocess import ParamShorthand, _supports_shorthand_syntax
from awscli.clidriver import ServiceCommand, create_clidriver
from awscli.utils import is_document_type

# An enum with more values than this is no list to choose from (instance types, regions): not held against.
LONGEST_ENUM = 64
INTEGERS = ("integer", "long")
FLOATS = ("float", "double")
COMPLEX = ("structure", "map", "list")
EVERYWHERE = ("cli-input-json", "cli-input-yaml", "generate-cli-skeleton")
# Groups that also do something without a subcommand.
RUN_ALONE = ("configure",)

# Commands that version 2 has and version 1 has not. `~` is not judged beyond its name.
V2 = {
    "login": "- remote:b",
    "logout": "- all:b",
    "sso login": "- sso-session no-browser:b use-device-code:b",
    "sso logout": "-",
    "configure export-credentials": "- format:c|process|env|env-no-export|powershell|windows-cmd|fish",
    "configure import": "- !csv skip-invalid:b profile-prefix",
    "configure list-profiles": "-",
    "configure mfa-login": "~",
    "configure sso": "- no-browser:b use-device-code:b",
    "configure sso-session": "-",
    "logs tail": "- <group_name> since follow:b format:c|detailed|short|json|none filter-pattern log-stream-names:n+ "
    "log-stream-name-prefix",
    "ec2-instance-connect ssh": "- !instance-id instance-ip private-key-file os-user ssh-port:i local-forwarding "
    "connection-type:c|auto|direct|eice eice-options:s",
    "ec2-instance-connect open-tunnel": "- instance-id instance-connect-endpoint-id "
    "instance-connect-endpoint-dns-name private-ip-address remote-port:i local-port:i max-tunnel-duration:i "
    "max-websocket-connections:i",
    "ddb": "+",
    "ddb put": "~",
    "ddb select": "~",
    "dynamodb wizard": "~",
    "events wizard": "~",
    "iam wizard": "~",
    "lambda wizard": "~",
    "lightsail push-container-image": "- !service-name !label !image",
    "ecs monitor-express-gateway-service": "~",
    "cli-dev": "~",
    "agent-toolkit": "~",
}

# Options that version 2 adds to commands of version 1. `*` are the global ones.
V2_OPTIONS = {
    "*": "cli-binary-format:c|base64|raw-in-base64-out no-cli-pager:b cli-auto-prompt:b no-cli-auto-prompt:b "
    "cli-error-format",
    "s3 cp": "copy-props:c|none|metadata-directive|default no-overwrite:b case-conflict",
    "s3 mv": "copy-props:c|none|metadata-directive|default no-overwrite:b case-conflict",
    "s3 sync": "copy-props:c|none|metadata-directive|default case-conflict",
}
# The choices that version 2 adds to a global option.
V2_CHOICES = {"output": ["yaml", "yaml-stream", "off"]}


class Table:
    def __init__(self):
        self.lines = {}
        self.enums = {}

    def enum(self, values):
        """The number of a list of values; None for one that is not kept."""
        values = list(values)
        if not values or len(values) > LONGEST_ENUM or any("|" in v or "\t" in v or not v.isascii() for v in values):
            return None
        return self.enums.setdefault("|".join(values), f"{len(self.enums):04}")

    def add(self, path, kind, options=()):
        self.lines[" ".join(path)] = " ".join([kind, *options])


def scalar(table, model):
    """The kind of one value of a model."""
    if model.type_name in INTEGERS:
        return "i"
    if model.type_name in FLOATS:
        return "f"
    if model.type_name == "boolean":
        return "B"
    if model.type_name == "timestamp":
        return "t"
    if model.type_name == "blob":
        return "o"
    number = table.enum(getattr(model, "enum", None) or [])
    return f"e{number}" if number else ""


def json_only(model):
    return bool(model.serialization.get("jsonvalue")) or is_document_type(model)


def shape(table, argument, service_id, operation):
    """The kind of an option's value, as the CLI reads it."""
    model = getattr(argument, "argument_model", None)
    if model is None:
        return ""
    if json_only(model):
        return "j"
    if model.type_name in ("structure", "map"):
        if not _supports_shorthand_syntax(model):
            return "j"
        members = getattr(model, "members", {})
        alone = len(members) == 1 and "Value" in members and members["Value"].type_name == "string"
        return "v" if alone else "s"
    if model.type_name == "list":
        if model.member.type_name not in COMPLEX:
            return "l" + (scalar(table, model.member) or "")
        old = ParamShorthand()._uses_old_list_case(service_id, operation, argument.name)
        if old or model.member.type_name == "list" or not _supports_shorthand_syntax(model):
            return "lx"
        return "ls"
    return scalar(table, model)


def option(table, action, argument, service_id, operation, pairs):
    name = action.option_strings[0][2:] if action.option_strings else f"<{action.dest}>"
    kind = shape(table, argument, service_id, operation) if argument is not None else ""
    if action.nargs == 0:
        kind = "B" if f"no-{name}" in pairs else "b"
    elif action.choices:
        kind = ("c?|" if action.nargs == "?" else "c|") + "|".join(action.choices)
    elif not kind.startswith("l") and action.nargs is not None:
        kind = f"n{action.nargs}"
    elif kind == "B":
        kind = ""
    elif action.type in (int, float) and kind == "":
        kind = "i" if action.type is int else "f"
    required = bool(getattr(argument, "required", False)) or bool(action.option_strings and action.required)
    return ("!" if required else "") + name + (f":{kind}" if kind else "")


def options(table, arguments, service_id="", operation=""):
    parser = ArgTableArgParser(arguments)
    by_name = {argument.name: argument for argument in arguments.values()}
    flags = {name[2:] for action in parser._actions if action.nargs == 0 for name in action.option_strings}
    pairs = {name for name in flags if name.startswith("no-") and name[3:] in flags}
    found = []
    for action in parser._actions:
        name = action.option_strings[0][2:] if action.option_strings else action.dest
        if name in EVERYWHERE or name in pairs:
            continue
        found.append(option(table, action, by_name.get(name), service_id, operation, pairs))
    # Positional words keep their order; options are sorted.
    return sorted(found, key=lambda text: (not text.startswith("<"), text.lstrip("!") if "<" not in text else ""))


def walk(table, path, command):
    if isinstance(command, ServiceCommand):
        table.add(path, "+")
        for name, child in command._get_command_table().items():
            walk(table, [*path, name], child)
        return
    children = dict(getattr(command, "subcommand_table", None) or {})
    if hasattr(command, "_operation_model"):
        model = command._operation_model
        arguments = command.arg_table
        api = "@" if "cli-input-json" in arguments else "."
        service_id = model.service_model.service_id.hyphenize()
        operation = botocore.xform_name(model.name, "-")
        table.add(path, api, options(table, arguments, service_id, operation))
        return
    arguments = getattr(command, "arg_table", None)
    if arguments is None:
        print(f"not judged: {' '.join(path)}", file=sys.stderr)
        table.add(path, "~")
        return
    # What an event of another command of the same name adds (`deploy`) makes no group.
    if children and (command.SUBCOMMANDS or not arguments or path[-1] == "wait"):
        table.add(path, "*" if path[-1] in RUN_ALONE else "+", options(table, arguments))
        for name, child in children.items():
            walk(table, [*path, name], child)
    else:
        table.add(path, "-", options(table, arguments))


def globals_of(table, driver):
    parser = driver._create_parser({})
    found = []
    for action in parser._actions:
        if not action.option_strings:
            continue
        name = action.option_strings[0][2:]
        kind = ""
        if action.choices:
            kind = ":c|" + "|".join([*action.choices, *V2_CHOICES.get(name, [])])
        elif action.nargs == 0:
            kind = ":b"
        elif name.endswith("-timeout"):
            kind = ":i"
        found.append(name + kind)
    return found


def main():
    logging.disable(logging.CRITICAL)
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    table = Table()
    driver = create_clidriver()
    table.add(["*"], "-", globals_of(table, driver))
    for name, command in driver._get_command_table().items():
        if name != "help":
            walk(table, [name], command)
    for path, line in V2.items():
        table.lines.setdefault(path, line)
    for path, more in V2_OPTIONS.items():
        present = {word.lstrip("!").split(":")[0] for word in table.lines[path].split()[1:]}
        added = [word for word in more.split() if word.split(":")[0] not in present]
        table.lines[path] = " ".join([table.lines[path], *added])
    lines = [f"{path}\t{line}" for path, line in table.lines.items()]
    lines += [f"%{number}\t{values}" for values, number in table.enums.items()]
    lines.append("+\t" + " ".join(sorted(path for path in table.lines if " " not in path and path != "*")))
    out = sys.stdout
    out.write(f"# botocore {botocore.__version__}, awscli {awscli.__version__}\n")
    for line in sorted(lines, key=lambda line: line.encode()):
        out.write(line + "\n")


if __name__ == "__main__":
    main()
