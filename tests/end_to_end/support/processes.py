"""Programs that tests start: with a log file, on a free port, stopped by pid."""

import contextlib
import fcntl
import os
import pathlib
import random
import signal
import socket
import subprocess
import tempfile
import time

TOOLS = pathlib.Path(os.environ.get("SHOEBOX_TOOLS", pathlib.Path.home() / ".cache/shoebox"))


class Failed(AssertionError):
    """A program ended otherwise than the test expects, with what it printed."""


PORTS = range(20_000, 32_000)  # below those that outgoing connections get
_locks = []


def free_port():
    """One that nobody listens at, and that no other run of these tests takes meanwhile."""
    folder = pathlib.Path(tempfile.gettempdir(), "shoebox-test-ports")
    folder.mkdir(mode=0o777, exist_ok=True)
    for port in random.sample(PORTS, 500):
        lock = open(folder / str(port), "w", encoding="ascii")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            lock.close()
            continue
        _locks.append(lock)  # until this process ends
        return port
    raise Failed("no free port")


def wait_until(condition, what, seconds=30.0, interval=0.05):
    """Polls `condition` until it is true, and returns its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failed(f"waited {seconds:g} s in vain until {what}")
        time.sleep(interval)


def answers(port):
    """Whether something on loopback accepts connections at `port`."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def run(arguments, *, stdin=None, env=None, cwd=None, seconds=120, expect=0):
    """Runs a program to its end; returns (exit status, stdout, stderr), decoded.

    `expect`: the exit status that it must have, "failure" for any but 0, None for any.
    """
    arguments = [os.fspath(argument) for argument in arguments]
    try:
        done = subprocess.run(
            arguments, input=stdin.encode() if isinstance(stdin, str) else stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, cwd=cwd, timeout=seconds)
    except subprocess.TimeoutExpired as late:
        raise Failed(f"{' '.join(arguments)}\nstill ran after {seconds} s\n"
                     f"{_text(late.stdout)}{_text(late.stderr)}") from None
    result = Result(done.returncode, _text(done.stdout), _text(done.stderr))
    right = (expect is None or done.returncode == expect or
             (expect == "failure" and done.returncode != 0))
    if not right:
        raise Failed(f"{' '.join(arguments)}\nended with {done.returncode}, not {expect}\n"
                     f"--- stdout\n{result.stdout[-4000:]}\n--- stderr\n{result.stderr[-4000:]}")
    return result


class Result:
    def __init__(self, status, stdout, stderr):
        self.status, self.stdout, self.stderr = status, stdout, stderr

    @property
    def output(self):
        return self.stdout + self.stderr


def _text(raw):
    return (raw or b"").decode("utf-8", "surrogateescape")


class Process:
    """A server program with its log."""

    def __init__(self, arguments, log_path, *, env=None, user=None, cwd=None):
        self.arguments = [os.fspath(argument) for argument in arguments]
        self.log_path = pathlib.Path(log_path)
        self._env, self._user, self._cwd = env, user, cwd
        self._child = None

    def start(self):
        identity = {}
        if self._user and os.geteuid() == 0:
            identity = {"user": self._user, "group": self._user, "extra_groups": []}
        with open(self.log_path, "ab") as log:
            self._child = subprocess.Popen(
                self.arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self._env, cwd=self._cwd, start_new_session=True, **identity)
        return self

    @property
    def pid(self):
        return self._child.pid

    def running(self):
        return self._child is not None and self._child.poll() is None

    def wait_ready(self, condition, seconds=60):
        def ready_or_dead():
            if not self.running():
                raise Failed(f"{' '.join(self.arguments)}\nended at once with "
                             f"{self._child.returncode}\n{self.log_tail()}")
            return condition()
        wait_until(ready_or_dead, f"{self.arguments[0]} is ready", seconds)

    def send_signal(self, number):
        if self.running():
            self._child.send_signal(number)

    def stop(self, number=signal.SIGTERM, seconds=20):
        """Ends it and returns its exit status; kills it if it does not obey."""
        if self._child is None:
            return None
        self.send_signal(number)
        try:
            return self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
            raise Failed(f"{self.arguments[0]} did not stop within {seconds} s\n"
                         f"{self.log_tail()}") from None

    def kill(self):
        self.send_signal(signal.SIGKILL)
        if self._child is not None:
            self._child.wait()

    def log_text(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_tail(self, length=6000):
        return self.log_text()[-length:]


def resident_bytes(pid):
    """VmRSS of a process, in bytes."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise Failed(f"process {pid} has no VmRSS")


def children_of(pid):
    """All descendants of a process, by /proc."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found, frontier = set(), {pid}
    while frontier:
        frontier = {child for child, parent in parents.items() if parent in frontier} - found
        found |= frontier
    return found


def kill_with_children(pid):
    """kill -9, children first."""
    for each in [*children_of(pid), pid]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
