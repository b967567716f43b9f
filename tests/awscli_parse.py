"""Says of each command line on standard input, a JSON list of words, whether the AWS CLI would make a call of it.

One line of JSON for each: null, or why it is refused. Nothing is called: what would be sent is held against the
service model, as botocore does before it sends.
"""

import contextlib
import io
import json
import logging
import os
import sys

os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = "/nonexistent"
os.environ["AWS_DEFAULT_REGION"] = "eu-west-1"
for name in ("AWS_PROFILE", "AWS_REGION"):
    os.environ.pop(name, None)

import awscli.clidriver as clidriver
import awscli.paramfile
from awscli.customizations import waiters
from awscli.customizations.commands import BasicCommand
from botocore import xform_name
from botocore.validate import ParamValidator

logging.disable(logging.CRITICAL)


# What only a machine with credentials, files and plug-ins gets past: the words are right.
BEYOND = (
    "SessionManagerPlugin is not found",
    "Unable to locate credentials",
    "Unable to load paramfile",
    "The config profile",
    "Blob values must be a path to a file",
)


def invoke(self, service_name, operation_name, parameters, parsed_globals):
    model = self._session.get_service_model(service_name).operation_model(operation_name)
    parameters = {name: value for name, value in parameters.items() if name != "PaginationConfig"}
    if model.input_shape is not None:
        # Tokens are filled in before a call is checked.
        for name, member in model.input_shape.members.items():
            if member.metadata.get("idempotencyToken"):
                parameters.setdefault(name, "x" * 36)
        report = ParamValidator().validate(parameters, model.input_shape)
        if report.has_errors():
            raise ValueError(report.generate_report())
    return 0


def stop_before_running(kind):
    for child in kind.__subclasses__():
        if child is not waiters.WaitCommand and not child.SUBCOMMANDS:
            child._run_main = lambda self, parsed_args, parsed_globals: 0
        stop_before_running(child)


# A value that is a URL is not fetched.
awscli.paramfile.REMOTE_PREFIX_MAP.clear()
clidriver.CLIOperationCaller.invoke = invoke
waiters.WaiterCaller.invoke = invoke


def verdict(words):
    driver = clidriver.create_clidriver()
    stop_before_running(BasicCommand)
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = driver.main(words)
        except SystemExit as exit:
            code = exit.code
        except Exception as error:
            code, _ = 255, err.write(f"{type(error).__name__}: {error}")
    if code in (0, None):
        return None
    lines = [line for line in err.getvalue().splitlines() if line.strip()]
    if any(text in line for text in BEYOND for line in lines):
        return None
    return lines[-1] if lines else f"exit code {code}"


def main():
    for line in sys.stdin:
        print(json.dumps(verdict(json.loads(line)[1:])), flush=True)


if __name__ == "__main__":
    main()
