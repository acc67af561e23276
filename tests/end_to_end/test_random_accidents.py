"""Random operations while connections break, the server is killed, alone or with its database, and the store
fails: what was promised is there afterwards, and nothing that nobody wrote.

SHOEBOX_ACCIDENTS_SEED and SHOEBOX_ACCIDENTS_OPERATIONS choose another run.
"""

import os

import pytest

from support import processes
from support.leftovers import assert_nothing_left
from support.raw_sftp import F_CREAT, F_TRUNC, F_WRITE, Attrs
from support.random_operations import Run
from support.servers import KINDS
from support.servers.faulty_minio import FaultyMinioServer
from support.sessions import connected

pytestmark = pytest.mark.shoebox

SEED = int(os.environ.get("SHOEBOX_ACCIDENTS_SEED", 1))
OPERATIONS = int(os.environ.get("SHOEBOX_ACCIDENTS_OPERATIONS", 150))
UPLOAD_MAX = 12_000_000
QUICK_JOBS = {"part_size": "5MiB", "destage_after": "1s", "flatten_after_quiet": "1s",
              "version_keep": "1s", "inline_max": "4KiB"}


class AccidentalRun(Run):
    def __init__(self, server, seed):
        self.server = server
        self.transport, raw = connected(server)
        self.accidents = {"drop": 0, "kill": 0, "kill_with_database": 0, "upload interrupted": 0}
        super().__init__(raw, "", seed)

    def choices(self):
        return super().choices() | {self.upload: 5, self.drop: 1, self.kill: 2}

    # A name changes at once, or an accident would leave open where a file is.

    def rename(self):
        super().rename()
        self.settle()

    def replace(self):
        super().replace()
        self.settle()

    def remove(self):
        super().remove()
        self.settle()

    def upload(self):
        """Several parts of a multipart upload, in order."""
        handle = self.pick(F_WRITE)
        if handle is None:
            return
        file, _ = self.model.handles[handle]
        for _ in range(self.random.randrange(20, 50)):
            if len(file) + 200_000 <= UPLOAD_MAX:
                self.write_at(handle, len(file), 200_000)

    def drop(self):
        """The connection breaks, perhaps with requests on the way."""
        self.accidents["drop"] += 1
        self.before_accident("connection lost")
        self.transport.close()
        processes.wait_until(self.all_connections_closed, "the server has noticed")
        self.transport, self.raw = connected(self.server)
        for name, file in self.model.files.items():
            # Behind what the lost handles leave to be done.
            self.raw.setstat(self.path(name), Attrs(atime=1_500_000_000, mtime=1_500_000_000))
            self.accept(name, file, file.is_left_by_lost_connection)

    def kill(self):
        how = self.random.choice(["kill", "kill_with_database"])
        self.accidents[how] += 1
        self.before_accident(how)
        getattr(self.server, how)()
        self.transport.close()
        with self.server.database_alone():
            interrupted = self.interrupted_uploads()
            self.end_leases()
        self.server.restart()
        self.transport, self.raw = connected(self.server)
        if interrupted and self.random.random() < 0.5:
            self.wait_for_uploads()
            interrupted = []
        if how == "kill_with_database":
            self.forget_missing_files()
        for name, file in self.model.files.items():
            self.accept(name, file, file.survives)
        for name in interrupted:
            self.upload_again(name)

    def forget_missing_files(self):
        self.model.files = {name: file for name, file in self.model.files.items()
                            if file.is_sure_to_exist or self.raw.exists(self.path(name))}

    def upload_again(self, name):
        """While nobody has seen to the interrupted upload: it must not come back."""
        self.accidents["upload interrupted"] += 1
        piece = self.pool[:self.random.choice([0, 100, 300_000])]
        self.raw.put(self.path(name), piece, flags=F_WRITE | F_CREAT | F_TRUNC)
        self.model.files[name].settle_on(piece)

    def before_accident(self, what):
        if self.random.random() < 0.3:
            self.settle()
        self.expected = []
        self.model.handles.clear()
        self.model.opened_as.clear()
        self.trace.append(f"--- {what}")

    def accept(self, name, file, may_contain):
        found = self.raw.get(self.path(name), piece=200_000)
        history = "\n".join(self.trace[-60:])
        assert may_contain(found), (
            f"{name}: {len(found)} bytes, {len(file)} were sent, {len(file.durable)} durable\n"
            f"{[step[:2] for step in file.history]}\n{history}")
        file.settle_on(found)

    def all_connections_closed(self):
        log = self.server.logs()["shoebox"]
        # A killed server closes none.
        log = log[log.rfind('"listening"' if '"listening"' in log else "listening"):]
        return log.count("connection opened") == log.count("connection closed")

    def end_leases(self):
        self.server.query("UPDATE objects SET lease_until = now() - interval '1 second'"
                          " WHERE state = 'staging'")

    def wait_for_uploads(self):
        processes.wait_until(self.no_upload_waits, "the interrupted uploads are finished", 100)

    def no_upload_waits(self):
        """Also none of a file that was removed. Those that failed are tried again without a pause."""
        self.server.query("UPDATE objects o SET lease_until = now() FROM uploads u"
                          " WHERE o.account_id = u.account_id AND o.id = u.object_id"
                          " AND o.state = 'staging' AND u.failures > 0")
        return self.server.query(
            "SELECT count(*) FROM uploads u JOIN objects o ON o.account_id = u.account_id AND o.id = u.object_id"
            " WHERE o.state = 'staging'") == [["0"]]

    def interrupted_uploads(self):
        """Names of files that may still get a received prefix. Uploads that were given up wait for the collector."""
        return [row[0] for row in self.server.query(
            "SELECT DISTINCT n.name FROM uploads u"
            " JOIN objects o ON o.account_id = u.account_id AND o.id = u.object_id"
            " JOIN nodes n ON n.account_id = u.account_id AND n.id = u.node_id"
            " WHERE o.state = 'staging'")]

    def finish(self):
        super().finish()
        self.wait_for_uploads()
        self.compare()
        self.transport.close()


@pytest.mark.parametrize("faults", [0, pytest.param(0.15, marks=pytest.mark.minio)])
@pytest.mark.parametrize(
    "seed", [SEED, *(pytest.param(SEED + more, marks=pytest.mark.slow) for more in range(1, 10))])
def test_accidents_leave_what_was_promised(request, seed, faults):
    """`faults`: the probability that a request to the store meets one."""
    if faults > 0:
        server = FaultyMinioServer(seed, faults, QUICK_JOBS)
    else:
        server = KINDS[request.config.getoption("--server")](QUICK_JOBS)
    try:
        run = AccidentalRun(server.start(), seed)
        for _ in range(OPERATIONS):
            run.step()
        run.finish()
        happened = {}
        if faults > 0:
            server.faults.probability, happened = 0, dict(server.faults.happened)
        print(f"seed {seed}: {OPERATIONS} operations, {run.accidents}, {happened}")
        assert_nothing_left(server)
    finally:
        server.discard()
