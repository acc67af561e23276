"""Uploads that a test can catch in the middle."""

from support import processes
from support.content import write_file
from support.raw_sftp import ATTRS, STAT
from support.transfers import sftp_command


class SlowUpload:
    """An `sftp put` with limited bandwidth, in the background."""

    def __init__(self, server, source, target, folder, megabits=40):
        self.server, self.target = server, target
        batch = write_file(folder / f"batch-{abs(hash(target))}", f"put {source} {target}\n")
        self.process = processes.Process(
            sftp_command(server, batch, "-l", str(megabits * 1000)),
            folder / f"upload-{abs(hash(target))}.log", env=server.environment()).start()

    def wait_for_bytes(self, raw, count):
        """Until the server says that it has that many; returns what it says."""
        def enough():
            if not self.process.running():
                raise processes.Failed("the upload ended early\n" + self.process.log_tail())
            reply = raw.ask(STAT, self.target)
            return reply.value.size if reply.type == ATTRS and reply.value.size >= count else None
        return processes.wait_until(enough, f"{self.target} has {count} bytes", 60)

    def wait(self, seconds=120):
        """Until it ends; returns whether sftp says that all is well."""
        processes.wait_until(lambda: not self.process.running(), "the upload ends", seconds)
        return self.process.stop() == 0

    def kill(self):
        self.process.kill()
