"""One run of a program: how long from start to exit, how much of the processor, how much memory."""

import dataclasses
import os
import signal
import statistics
import subprocess
import threading
import time

PATIENCE = 300
GNU_TIME = "/usr/bin/time"


@dataclasses.dataclass(frozen=True)
class Run:
    code: int
    wall: float       # seconds
    cpu: float        # seconds, user and system, of all its threads and children


def run(argv, folder, environment, cores=None):
    """Runs `argv` with its output thrown away. `cores` are those that it may use."""
    argv = list(map(str, argv))
    if cores is not None:
        argv = ["/usr/bin/taskset", "-c", ",".join(map(str, cores)), *argv]
    there = os.getcwd()
    os.chdir(folder)
    try:
        nowhere = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1, 2)]
        began = time.perf_counter()
        pid = os.posix_spawnp(argv[0], argv, environment, file_actions=nowhere)
    finally:
        os.chdir(there)
    late = threading.Timer(PATIENCE, os.kill, (pid, signal.SIGKILL))
    late.daemon = True
    late.start()
    _, status, used = os.wait4(pid, 0)
    wall = time.perf_counter() - began
    late.cancel()
    return Run(os.waitstatus_to_exitcode(status), wall, used.ru_utime + used.ru_stime)


def peak(argv, folder, environment):
    """The largest resident size, in MiB. GNU time starts the program, since what a child is given to start with by this
    process, which is larger, would count as its own."""
    done = subprocess.run([GNU_TIME, "-q", "-f", "%M", *map(str, argv)], cwd=folder, env=environment, timeout=PATIENCE,
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    return int(done.stderr.strip().splitlines()[-1]) / 1024


def spread(values):
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}
