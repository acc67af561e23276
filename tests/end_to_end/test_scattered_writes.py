"""A file that is written in many places at once is that file, and does not fall to pieces."""

import random

import pytest

from support.content import content
from support.raw_sftp import F_READ, F_WRITE, WRITE, U64
from support.sessions import assert_clean, connected

PAGE = 4096
PAGES = 2_000


def extents(server):
    return int(server.query("SELECT count(*) FROM extents e JOIN nodes n ON n.account_id = e.account_id"
                            " AND n.version_id = e.version_id WHERE n.name = 'large'")[0][0])


@pytest.mark.shoebox
@pytest.mark.settings(extents_max=16)
def test_pages_written_here_and_there_become_few_pieces(own_server):
    transport, raw = connected(own_server)
    expected = bytearray(content(PAGES * PAGE))
    raw.put("/large", bytes(expected), piece=200_000)
    choose = random.Random(1)
    handle = raw.open("/large", F_READ | F_WRITE)
    waiting = []
    for page in choose.sample(range(PAGES), 1_000):
        bytes_of_page = content(PAGE, page)
        waiting.append(raw.send(WRITE, handle, U64(page * PAGE), bytes_of_page))
        expected[page * PAGE:(page + 1) * PAGE] = bytes_of_page
        if len(waiting) > 50:
            raw.reply(waiting.pop(0)).ok()
    for request in waiting:
        raw.reply(request).ok()
    assert raw.get("/large", piece=200_000) == expected
    raw.close(handle)
    assert extents(own_server) <= 16
    assert raw.get("/large", piece=200_000) == expected
    transport.close()
    own_server.stop_program()
    own_server.restart()
    transport, raw = connected(own_server)
    assert raw.get("/large", piece=200_000) == expected
    assert_clean(own_server)
    transport.close()
