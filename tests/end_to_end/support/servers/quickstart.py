"""`shoebox quickstart`: everything in one folder, as someone trying it out has it."""

import contextlib
import json
import os
import pathlib
import signal

from support import processes
from support.servers import postgres
from support.servers.server import Server


class QuickstartServer(Server):
    kind = "quickstart"

    def __init__(self, extra_settings=None):
        super().__init__(extra_settings)
        self.program = os.environ["SHOEBOX_PROGRAM"]
        self.folder_of_data = self.folder / "data"
        self._process = processes.Process(self.start_command(), self.folder / "shoebox.log")
        if self.extra_settings:  # Quickstart leaves a file alone that is there. JSON is YAML.
            self.folder_of_data.mkdir()
            keys = [f"host_keys/ssh_host_{name}_key" for name in ("ed25519", "ecdsa", "rsa")]
            (self.folder_of_data / "shoebox.yaml").write_text(json.dumps(self.with_extra({
                "listen": [f"{self.host}:{self.port}"], "host_keys": keys,
                "database": {"embedded": "postgres"},
                "storage": {"backend": "local", "directory": "objects"}})))

    def start_command(self):
        return [self.program, "quickstart", "--data", self.folder_of_data,
                "--listen", f"{self.host}:{self.port}", "--user", self.user,
                "--password-file", self.password_file]

    def start(self):
        self.restart()
        return self

    def restart(self):
        self._process.start()
        self._process.wait_ready(lambda: processes.answers(self.port), 120)

    def stop_program(self, number=signal.SIGTERM):
        return self._process.stop(number)

    def kill(self):
        self._process.kill()

    def kill_with_database(self):
        processes.kill_with_children(self.pid())
        self._process.kill()

    @contextlib.contextmanager
    def database_alone(self):
        cluster = self.folder_of_data / "postgres"
        pid_file = cluster / "data/postmaster.pid"
        # A killed program's server shuts down by itself.
        processes.wait_until(lambda: not _is_alive(_lines(pid_file)[0]), "PostgreSQL has ended")
        alone = processes.Process(
            [postgres.programs() / "postgres", "-D", cluster / "data", "-c", f"config_file={cluster}/postgresql.conf"],
            self.folder / "postgres.log", user=(cluster / "data").owner(), cwd="/").start()
        try:
            alone.wait_ready(lambda: [_lines(pid_file)[0], _lines(pid_file)[-1]] == [str(alone.pid), "ready"])
            yield
        finally:
            alone.stop(signal.SIGINT)

    def stop(self):
        if self._process.running():
            self.stop_program()

    def running(self):
        return self._process.running()

    def pid(self):
        return self._process.pid

    def logs(self):
        return {"shoebox": self._process.log_text()}

    def command(self, *arguments, stdin=None, expect=0, seconds=120):
        """`shoebox ARGUMENTS --config FILE`, with the configuration that quickstart wrote."""
        return processes.run(
            [self.program, *arguments, "--config", self.folder_of_data / "shoebox.yaml"],
            stdin=stdin, expect=expect, seconds=seconds)

    def add_user(self, name, password, quota=None):
        limits = [] if quota is None else ["--quota", str(quota)]
        self.command("user", "add", name, "--password-stdin", *limits, stdin=password + "\n")

    def add_key(self, name, public_key_file):
        self.command("user", "key", "add", name, str(public_key_file))

    def disable_user(self, name):
        self.command("user", "disable", name)

    def fsck(self):
        return self.command("fsck", expect=None, seconds=600)

    def stored_keys(self):
        objects = self.folder_of_data / "objects/objects"
        return {str(path.relative_to(objects)) for path in objects.rglob("*") if path.is_file()}

    def stored_parts(self):
        return list((self.folder_of_data / "objects/uploads").glob("*/data"))

    def query(self, sql):
        socket = next(pathlib.Path(self.folder_of_data).rglob(".s.PGSQL.*[0-9]"))
        port = socket.name.rpartition(".")[2]
        owner = socket.owner()
        return postgres.query(f"host={socket.parent} port={port} user=shoebox dbname=shoebox", sql,
                              as_user=owner)


def _lines(path):
    """The file's lines, without spaces at their ends; an empty one if there is no file."""
    try:
        return [line.rstrip() for line in path.read_text().splitlines()] or [""]
    except FileNotFoundError:
        return [""]


def _is_alive(pid):
    return pid != "" and pathlib.Path("/proc", pid).exists()
