"""A private PostgreSQL cluster, owned by an unprivileged user when the tests run as root."""

import os
import pathlib
import shutil
import signal

from support import processes


def programs():
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"),
                   key=lambda path: int(path.parts[-3]))
    if not found:
        raise processes.Failed("PostgreSQL's server is not installed")
    return found[-1].parent


class Postgres:
    def __init__(self, folder):
        self.folder, self.port = pathlib.Path(folder), processes.free_port()
        self.owner = "postgres" if os.geteuid() == 0 else None
        self.url = f"postgresql://shoebox@127.0.0.1:{self.port}/shoebox"
        self._process = None

    def create(self):
        self.folder.mkdir()
        if self.owner:
            shutil.chown(self.folder, self.owner, self.owner)
        initdb = processes.Process(
            [programs() / "initdb", "-D", self.folder / "data", "-U", "shoebox", "-A", "trust",
             "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
            self.folder.parent / "initdb.log", user=self.owner, cwd="/").start()
        processes.wait_until(lambda: not initdb.running(), "initdb has ended", 60)
        self.start()
        self.query("CREATE DATABASE shoebox", database="postgres")
        return self

    def start(self):
        self._process = processes.Process(
            [programs() / "postgres", "-D", self.folder / "data", "-k", self.folder,
             "-p", str(self.port), "-c", "listen_addresses=127.0.0.1",
             "-c", "max_connections=200", "-c", "log_min_messages=warning"],
            self.folder.parent / "postgres.log", user=self.owner, cwd="/").start()
        self._process.wait_ready(self._accepts_queries)

    def stop(self):
        """Fast shutdown: breaks connections, as `systemctl restart postgresql` does."""
        if self._process is not None:
            self._process.stop(signal.SIGINT)

    def kill(self):
        """kill -9 of all its processes at once, as a power cut does."""
        processes.kill_with_children(self._process.pid)
        self._process.kill()

    def restart(self):
        self.stop()
        self.start()

    def pid(self):
        return self._process.pid

    def query(self, sql, database="shoebox"):
        """Rows as lists of strings."""
        return query(f"postgresql://shoebox@127.0.0.1:{self.port}/{database}", sql)

    def log_text(self):
        return self._process.log_text() if self._process else ""

    def _accepts_queries(self):
        answer = processes.run([programs() / "pg_isready", "-h", "127.0.0.1", "-q",
                                "-p", str(self.port)], expect=None)
        return answer.status == 0


def query(url, sql, as_user=None):
    """Rows as lists of strings, by psql. `as_user`: the system user who runs it, if we are root."""
    arguments = [programs() / "psql", url, "-X", "-A", "-t", "-q", "-F", "\t",
                 "-v", "ON_ERROR_STOP=1", "-c", sql]
    if as_user and os.geteuid() == 0:
        arguments = ["setpriv", "--reuid", as_user, "--clear-groups"] + arguments
    printed = processes.run(arguments, seconds=600, cwd="/").stdout
    return [line.split("\t") for line in printed.splitlines()]
