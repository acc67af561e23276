"""OpenSSH's own clients: sftp in batch mode, scp, ssh."""

import contextlib

from support import processes


def sftp(server, commands, *options, start="", expect=0, cwd=None, seconds=120):
    """Runs a batch of sftp commands; stops at the first that fails, unless it begins with "-"."""
    batch = commands if isinstance(commands, str) else "\n".join(commands)
    arguments = ["sftp", *options, *server.ssh_options(), "-P", str(server.port), "-b", "-",
                 server.spec(start)]
    return processes.run(arguments, stdin=batch + "\n", env=server.environment(), expect=expect,
                         cwd=cwd, seconds=seconds)


def scp(server, *arguments, expect=0, cwd=None, seconds=120):
    return processes.run(["scp", *server.ssh_options(), "-P", str(server.port), *arguments],
                         env=server.environment(), expect=expect, cwd=cwd, seconds=seconds)


def ssh(server, *arguments, expect=0, seconds=60, stdin=None):
    return processes.run(["ssh", *server.ssh_options(), "-p", str(server.port), *arguments],
                         env=server.environment(), expect=expect, seconds=seconds, stdin=stdin)


@contextlib.contextmanager
def master(server, folder, name="mux"):
    """A connection that others share: yields the options that make sftp, scp and ssh go through it."""
    socket = folder / name
    process = processes.Process(
        ["ssh", *server.ssh_options(), "-N", "-M", "-S", socket, "-p", str(server.port),
         server.spec().rstrip(":")], folder / f"{name}.log", env=server.environment()).start()
    try:
        process.wait_ready(socket.exists)
        yield ["-o", f"ControlPath={socket}"]
    finally:
        # Not by a signal alone: ssh only notes it, and if it is just about to poll, then waits for
        # the next packet of the server.
        if process.running():
            ssh(server, "-S", socket, "-O", "exit", server.spec().rstrip(":"), expect=None)
        process.stop()
