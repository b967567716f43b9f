"""The same mishaps for firedrill and Chaos Toolkit: what each left stopped, and what it exited with.

A mishap begins when the region shows that the instance is stopping. Nothing is sent off this machine.
"""

import http.server
import importlib.metadata
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

import boto3

FIREDRILL, CHAOS = (str(pathlib.Path(path).absolute()) for path in sys.argv[1:3])
TABLE = pathlib.Path(__file__).parents[2] / "docs" / "safety.md"
PATIENCE = 60
CLEAN = {**{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
         "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true",
         "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "NO_COLOR": "1"}


def serve(handler):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_address[1]}"


class Shop(http.server.BaseHTTPRequestHandler):
    """What the steady state asks."""
    status = 200

    def do_GET(self):
        self.send_response(Shop.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Region:
    """`firedrill lab` as a process of its own, behind a relay that can deny one EC2 action."""

    def __init__(self):
        self.process = subprocess.Popen([FIREDRILL, "lab", "--seed", "3", "--print-environment"], env=CLEAN,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        text = []
        for line in self.process.stdout:
            text.append(line)
            if not line.strip():
                break
        self.text = "".join(text)
        find = lambda key: re.search(rf"^ +{key}: \"?([^\"\n]+)", self.text, re.M).group(1)
        self.lab, self.name, self.account = find("endpoint_url"), find("region"), re.search(r"(\d{12})", self.text).group(1)
        self.denied = None
        region = self

        class Relay(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                if region.denied and f"Action={region.denied}&".encode() in body + b"&":
                    answer = (b"<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized "
                              b"to perform this operation.</Message></Error></Errors><RequestID>1</RequestID></Response>")
                    return self.reply(403, {"content-type": "text/xml"}, answer)
                headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "content-length")}
                request = urllib.request.Request(region.lab + self.path, body, headers, method=self.command)
                try:
                    with urllib.request.urlopen(request, timeout=30) as found:
                        self.reply(found.status, dict(found.headers), found.read())
                except urllib.error.HTTPError as error:
                    self.reply(error.code, dict(error.headers), error.read())

            do_GET = do_POST

            def reply(self, status, headers, body):
                self.send_response(status)
                for name, value in headers.items():
                    if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                        self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server, self.url = serve(Relay)
        self.ec2 = boto3.client("ec2", endpoint_url=self.lab, region_name=self.name, aws_access_key_id="test",
                                aws_secret_access_key="test")
        alone = [one for one in self.instances() if one["State"]["Name"] == "running"
                 and not any(tag["Key"] == "aws:autoscaling:groupName" for tag in one.get("Tags", []))]
        self.instance = alone[0]["InstanceId"]

    def instances(self):
        return [one for found in self.ec2.describe_instances()["Reservations"] for one in found["Instances"]]

    def state(self):
        return next(one["State"]["Name"] for one in self.instances() if one["InstanceId"] == self.instance)

    def close(self):
        self.server.shutdown()
        self.process.terminate()
        self.process.wait(10)


class Firedrill:
    name = "firedrill"

    def __init__(self, region, folder, url, failing):
        self.folder = folder
        (folder / "firedrill.yaml").write_text(
            f"environments:\n  here:\n    region: {region.name}\n    accounts: [\"{region.account}\"]\n"
            f"    endpoint_url: {region.url}\n    confirm: none\n")
        second = ("  - name: then this\n    run: [\"false\"]\n" if failing else
                  "  - name: then wait\n    wait: 30s\n")
        (folder / "drill.yaml").write_text(
            "kind: Experiment\nname: drill\ntargets:\n  one:\n    ec2.instance: { id: " + region.instance + " }\n"
            f"probes:\n  shop:\n    http: {{ url: \"{url}\", expect: {{ status: 200 }} }}\n    every: 200ms\n"
            "steady_state: { for: 2s, availability: 100% }\nsteps:\n  - name: stop it\n    action:\n"
            "      ec2.stop_instances: { target: one }\n" + second +
            "objectives: { availability: 99% }\nrecovery: { confirm: 1s, within: 5m, observe: 1s }\n")

    def start(self):
        return subprocess.Popen([FIREDRILL, "run", "drill.yaml", "--env", "here", "--store", "runs"], cwd=self.folder,
                                env={**CLEAN, "XDG_STATE_HOME": str(self.folder / "state")},
                                stdout=subprocess.DEVNULL, stderr=open(self.folder / "said", "w"))

    def recover(self):
        done = subprocess.run([FIREDRILL, "recover", "--store", "runs"], cwd=self.folder, capture_output=True, timeout=120,
                              env={**CLEAN, "XDG_STATE_HOME": str(self.folder / "state")})
        return f"`firedrill recover`: exit {done.returncode}"


class Chaos:
    name = "Chaos Toolkit"

    def __init__(self, region, folder, url, failing, strategy="default"):
        self.folder, self.region, self.strategy = folder, region, strategy
        aws = {"configuration": {"aws_region": region.name}}
        act = lambda name, function, **arguments: {
            "type": "action", "name": name,
            "provider": {"type": "python", "module": "chaosaws.ec2.actions", "func": function, "arguments": arguments}}
        probe = {"type": "probe", "name": "shop", "tolerance": 200,
                 "provider": {"type": "http", "url": url, "timeout": 2}}
        second = ({"type": "action", "name": "then this", "provider": {"type": "process", "path": "false"}} if failing else
                  {"type": "action", "name": "then wait",
                   "provider": {"type": "process", "path": "sleep", "arguments": "30"}})
        (folder / "drill.json").write_text(json.dumps({
            **aws, "title": "drill", "description": "drill",
            "steady-state-hypothesis": {"title": "the shop answers", "probes": [probe]},
            "method": [act("stop it", "stop_instance", instance_id=region.instance), second],
            "rollbacks": [act("start it", "start_instances", instance_ids=[region.instance])]}))

    def start(self):
        return subprocess.Popen([CHAOS, "--no-version-check", "run", "--rollback-strategy", self.strategy, "drill.json"],
                                cwd=self.folder, env={**CLEAN, "AWS_ENDPOINT_URL": self.region.url,
                                                      "AWS_DEFAULT_REGION": self.region.name},
                                stdout=subprocess.DEVNULL, stderr=open(self.folder / "said", "w"))

    def recover(self):
        return "has nothing of the kind"


MISHAPS = [
    ("Ctrl-C in the middle", {"sent": signal.SIGINT}),
    ("SIGTERM in the middle", {"sent": signal.SIGTERM}),
    ("SIGKILL in the middle", {"sent": signal.SIGKILL}),
    ("the next action fails", {"failing": True}),
    ("the fault is denied", {"denied": "StopInstances"}),
    ("the steady state is wrong", {"status": 503}),
    ("nothing goes wrong", {}),
]


def play(make, sent=None, failing=False, denied=None, status=200):
    Shop.status = status
    region = Region()
    server, url = serve(Shop)
    try:
        with tempfile.TemporaryDirectory() as folder:
            tool = make(region, pathlib.Path(folder), url, failing)
            region.denied = denied
            process = tool.start()
            began, touched = time.monotonic(), False
            while process.poll() is None and time.monotonic() - began < PATIENCE:
                touched |= region.state() != "running"
                if touched and sent:
                    time.sleep(0.5)
                    process.send_signal(sent)
                    break
                time.sleep(0.1)
            try:
                code = process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait()
            # What was told to start is given the time to.
            settled = time.monotonic() + 8
            while region.state() != "running" and time.monotonic() < settled:
                time.sleep(0.2)
            left, after = region.state(), ""
            if sent == signal.SIGKILL:
                said = tool.recover()
                settled = time.monotonic() + 8
                while region.state() != "running" and time.monotonic() < settled:
                    time.sleep(0.2)
                after = f"; {said}, then {region.state()}"
            said = (pathlib.Path(folder) / "said").read_text()
            return {"code": code, "left": left, "after": after, "touched": touched, "said": said}
    finally:
        server.shutdown()
        region.close()


def main():
    tools = [("firedrill", Firedrill),
             ("Chaos Toolkit", Chaos),
             ("Chaos Toolkit, `--rollback-strategy always`", lambda *a: Chaos(*a, strategy="always"))]
    version = lambda package: importlib.metadata.version(package)
    own = subprocess.run([FIREDRILL, "--version"], capture_output=True, text=True).stdout.split()[-1]
    text = ("# What is left behind\n\nThe same mishaps for firedrill and Chaos Toolkit: both stop an EC2 instance of an embedded region and "
            "are to start it\nagain. `benches/safety.sh` makes this page. *Left* is the instance's state eight seconds after the tool was gone.\n\n"
            f"Versions: firedrill {own}; chaostoolkit {version('chaostoolkit')}, chaostoolkit-aws {version('chaostoolkit-aws')}.\n\n"
            "| mishap | tool | exit | touched | left |\n| --- | --- | ---: | --- | --- |\n")
    for what, how in MISHAPS:
        for name, make in tools:
            found = play(make, **how)
            text += f"| {what} | {name} | {found['code']} | {'yes' if found['touched'] else 'no'} | {found['left']}{found['after']} |\n"
            print(f"{what}, {name}: exit {found['code']}, {found['left']}{found['after']}", flush=True)
            if os.environ.get("VERBOSE"):
                print(found["said"][-1500:])
    text += ("\nA negative exit is the signal that ended the process. firedrill's own: 0 pass, 1 fail, 3 inconclusive or not begun, "
             "4 aborted and undone,\n5 not all undone.\n\n"
             "With `always`, Chaos Toolkit does try to start the instance, once, while it is still stopping: EC2 refuses that\n"
             "(`IncorrectInstanceState`), and the experiment ends there. firedrill waits until the instance takes the order.\n")
    TABLE.write_text(text)
    print(f"written: {TABLE}")


if __name__ == "__main__":
    main()
