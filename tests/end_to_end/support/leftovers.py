"""After the collector had its chance: database and store agree, and nothing else is in the store."""

from support.sessions import assert_clean


def assert_nothing_left(server):
    """Stops the server. What waits for the collector is made old enough for it, and collected."""
    server.stop_program()
    with server.database_alone():
        server.query("UPDATE objects SET lease_until = now() - interval '1 day'"
                     " WHERE state IN ('staging', 'reaping')")
        server.query("UPDATE objects SET dead_at = now() - interval '1 year' WHERE state = 'dead'")
    server.command("fsck", "--repair", expect=None, seconds=600)
    assert_clean(server)
    with server.database_alone():
        live = {row[0] for row in server.query("SELECT key FROM objects WHERE state = 'live'")}
        assert server.query("SELECT count(*) FROM uploads") == [["0"]]
    assert {key for key in server.stored_keys() if not key.startswith("metadata/")} == live
    # A request to begin an upload whose answer was lost leaves an empty one behind, which goes with its object.
    assert server.stored_parts() == []
