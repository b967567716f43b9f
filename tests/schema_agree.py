"""Validates YAML files against JSON Schemas, as an editor would: [[schema, file], ...] in, a line of JSON for each out."""
import json
import re
import sys

import jsonschema
import yaml


class Core(yaml.SafeLoader):
    """YAML 1.2's core schema: `yes` and `2026-12-24` are text."""

    yaml_implicit_resolvers = {}


for tag, pattern, first in [
    ("bool", r"^(?:true|false)$", "tf"),
    ("null", r"^(?:~|null|)$", ["~", "n", ""]),
    ("int", r"^[-+]?[0-9]+$", "-+0123456789"),
    ("float", r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][-+]?[0-9]+)?$", "-+0123456789."),
]:
    Core.add_implicit_resolver("tag:yaml.org,2002:" + tag, re.compile(pattern), list(first))

for schema, file in json.load(sys.stdin):
    with open(schema, encoding="utf-8") as text:
        validator = jsonschema.Draft7Validator(json.load(text))
    validator.check_schema(validator.schema)
    try:
        with open(file, encoding="utf-8") as text:
            document = yaml.load(text, Loader=Core)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        print(json.dumps({"file": file, "yaml": False, "first": str(error)[:200]}))
        continue
    errors = sorted(validator.iter_errors(document), key=lambda error: list(map(str, error.absolute_path)))
    first = f"{errors[0].json_path}: {errors[0].message}"[:300] if errors else None
    print(json.dumps({"file": file, "yaml": True, "valid": not errors, "first": first}))
