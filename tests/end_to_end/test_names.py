"""docs/semantics.md: names are bytes that are valid UTF-8, kept as they came."""

import pytest

from support.raw_sftp import (F_CREAT, F_TRUNC, F_WRITE, FAILURE, MKDIR, NO_SUCH_FILE, OK, OPEN,
                              RENAME, SETSTAT, STAT, SYMLINK, Attrs)

NEW = F_WRITE | F_CREAT | F_TRUNC

HOSTILE = ["-rf", "--help", " ", " leading", "trailing ", "new\nline", "tab\t", "back\\slash",
           "quo'te\"s", "*", "?", "[a]", "$(reboot)", "`id`", ";", "&", "|", "%2e%2e", "%s%n",
           "...", "..a", ".hidden", "~", "#", "a:b", "con", "\x01\x1b[31m", "\x7f", "\ufeffbom",
           "\u202eexe.gpj", "\U0001f4f7", "ä" * 127, "x" * 255,
           "日" * 85]


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_odd_names_are_only_names(raw, remote, name):
    path = f"{remote}/{name}"
    raw.put(path, b"content")
    assert list(raw.list(remote)) == [name.encode()]
    assert raw.get(path) == b"content"
    raw.rename(path, f"{remote}/plain")
    raw.posix_rename(f"{remote}/plain", path)
    assert raw.realpath(path) == path.encode()
    raw.remove(path)
    raw.mkdir(path)
    raw.put(f"{path}/below", b"1")
    assert raw.get(f"{path}/below") == b"1"


def test_composed_and_decomposed_names_differ(raw, remote):
    composed, decomposed = "Caf\u00e9", "Cafe\u0301"
    raw.put(f"{remote}/{composed}", b"composed")
    assert raw.status_of(STAT, f"{remote}/{decomposed}") == NO_SUCH_FILE
    raw.put(f"{remote}/{decomposed}", b"decomposed")
    assert set(raw.list(remote)) == {composed.encode(), decomposed.encode()}
    assert raw.get(f"{remote}/{composed}") == b"composed"


def test_case_matters(raw, remote):
    raw.put(f"{remote}/a", b"lower")
    raw.put(f"{remote}/A", b"upper")
    assert raw.get(f"{remote}/a") == b"lower" and raw.get(f"{remote}/A") == b"upper"


@pytest.mark.parametrize("name", ["x" * 256, "日" * 86, "x" * 4000], ids=len)
def test_names_over_255_bytes_are_refused(raw, remote, name):
    path = f"{remote}/{name}"
    assert raw.status_of(OPEN, path, NEW, Attrs()) not in (OK, NO_SUCH_FILE)
    assert raw.status_of(MKDIR, path, Attrs()) not in (OK, NO_SUCH_FILE)
    raw.put(f"{remote}/a", b"1")
    assert raw.status_of(RENAME, f"{remote}/a", path) not in (OK, NO_SUCH_FILE)
    assert list(raw.list(remote)) == [b"a"]


def test_paths_over_4096_bytes_are_refused(raw, remote):
    path = remote + "/x" * 2100
    for request in ((OPEN, path, NEW, Attrs()), (MKDIR, path, Attrs()), (STAT, path)):
        assert raw.status_of(*request) not in (OK, NO_SUCH_FILE)


@pytest.mark.shoebox
@pytest.mark.parametrize("name", [b"\xff", b"caf\xe9.jpg", b"\xc0\xaf", b"\xed\xa0\x80",
                                  b"a\x00b", b"\xf4\x90\x80\x80"], ids=repr)
def test_invalid_utf8_is_refused_with_a_reason(raw, remote, name):
    path = remote.encode() + b"/" + name
    raw.put(f"{remote}/a", b"1")
    for request in ((OPEN, path, NEW, Attrs()), (MKDIR, path, Attrs()),
                    (RENAME, f"{remote}/a", path), (SYMLINK, b"target", path)):
        reply = raw.ask(*request)
        assert reply.code == FAILURE and "name" in reply.value.lower(), reply
    assert list(raw.list(remote)) == [b"a"]


def test_dots_and_empty_names(raw, remote):
    for request in ((MKDIR, f"{remote}/.", Attrs()), (MKDIR, f"{remote}/..", Attrs()),
                    (RENAME, f"{remote}/.", f"{remote}/x"), (OPEN, "", NEW, Attrs())):
        assert raw.status_of(*request) != OK
    assert raw.list(remote) == {}


def test_empty_path_of_stat_is_not_a_crash(raw, remote):
    raw.ask(STAT, "")
    raw.ask(SETSTAT, "", Attrs())
    assert raw.exists(remote)
