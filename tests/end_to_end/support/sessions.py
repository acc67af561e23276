"""Short words for tests that have a server of their own."""


def connected(server):
    """A connection and our own client on it."""
    transport = server.transport()
    return transport, server.raw_sftp(transport)


def assert_clean(server):
    """`shoebox fsck` finds nothing wrong."""
    done = server.fsck()
    assert done.status == 0, done.output
