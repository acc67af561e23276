"""Checks the source tree against the guide: check_tree.py SOURCES [COMPILE_COMMANDS].

Prints what is wrong, a line each, and exits with 1 if anything is.
"""

import json
import pathlib
import re
import sys

# Who may know whom: a room may include rooms of a lower level, and itself. Rooms of one level do
# not know each other, except as ALSO says. "" is the composition root, the files in sftpd/ itself.
LEVELS = {
    "storage": 0, "metadata": 0,
    "sftpd/log": 1,
    "sftpd/vfs": 2, "sftpd/limits": 2,
    "sftpd/sftp": 3, "sftpd/exec": 3, "sftpd/auth": 3, "sftpd/jobs": 3,
    "sftpd/ssh": 4, "sftpd/admin": 4, "sftpd/config": 4, "sftpd/process": 4,
    "sftpd/metrics": 5,
    "sftpd": 6,
}
ALSO = {("sftpd/exec", "sftpd/sftp")}
# Rooms that know no other room at all, whatever their level.
ALONE = {"storage", "metadata", "sftpd/config", "sftpd/process"}
# A contract between levels that is no room's own.
SHARED_HEADERS = {"sftpd/byte_stream.h", "sftpd/counters.h"}

# Where each library's headers stop: folders (with all below) that may include them.
LIBRARIES = {
    r"libssh/": ["sftpd/ssh"],
    r"pqxx/": ["metadata"],
    r"curl/": ["storage/http"],
    r"pugixml": ["storage/s3"],
    r"yaml-cpp/": ["sftpd/config"],
    r"sodium": ["sftpd/auth"],
    r"magic\.h": ["sftpd/vfs"],
    r"spdlog/": ["sftpd/log"],
    r"CLI/": ["sftpd/admin", "sftpd/."],
    r"systemd/": ["sftpd/process"],
    r"zlib": ["sftpd/jobs"],
    r"prometheus/": ["sftpd/metrics"],
    r"openssl/": ["storage", "metadata", "sftpd/vfs", "sftpd/auth", "sftpd/exec", "sftpd/admin"],
    r"gtest/|gmock/": [],
}
NEVER = {r"libssh/sftp\.h": "our own codec speaks SFTP"}

SOURCE_FOLDERS = ["storage", "metadata", "sftpd"]
ROOMS_BESIDE = ["tests/end_to_end", "tests/fuzz", "tests/tidy", "tests/support", "tests/contracts",
                "tests/model", "etc", "systemd", "benchmarks"]
README_LINES_MAX = 10

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.MULTILINE)
TEST_FUNCTION = re.compile(r"^def (test_\w+)\(", re.MULTILINE)
# `test_file.py`, `test_file.py::test_name` or `test_name`.
NAMED_TEST = re.compile(r"`(?:(test_\w+\.py)(?:::)?)?(test_\w+)?`")
TABLE_HEAD = re.compile(r"\|(-+\|)+$|\|.*\| Test \|$")
LEFT_OPEN = re.compile(r"\b(TODO|FIXME|XXX|GTEST_SKIP|DISABLED_\w+)\b")


def room_of(path):
    """The room of a file or of an include, by its path from the top."""
    parts = pathlib.PurePosixPath(path).parts
    if parts[0] != "sftpd":
        return parts[0]
    return "/".join(parts[:2]) if len(parts) > 2 else "sftpd"


def sources(top, folders=None, suffixes=(".h", ".cpp")):
    for folder in folders or SOURCE_FOLDERS:
        for path in sorted((top / folder).rglob("*")):
            if path.suffix in suffixes and path.is_file():
                yield path.relative_to(top).as_posix(), path.read_text(encoding="utf-8")


def may_include(room, included):
    if included == room:
        return True
    if room in ALONE:
        return False
    if (room, included) in ALSO:
        return True
    return LEVELS[included] < LEVELS[room]


def check_arrows(top):
    for path, text in sources(top):
        room = room_of(path)
        if room not in LEVELS:
            yield f"{path}: room {room} is not in LEVELS"
            continue
        for kind, included in INCLUDE.findall(text):
            if kind != '"' or included in SHARED_HEADERS:
                continue
            if included.split("/")[0] not in SOURCE_FOLDERS:
                yield f'{path}: "{included}": write the path from the top, or <> for a library'
            elif room_of(included) not in LEVELS or not may_include(room, room_of(included)):
                yield f"{path}: {room} may not know {room_of(included)} ({included})"


def is_below(path, folder):
    if folder.endswith("/."):
        return pathlib.PurePosixPath(path).parent.as_posix() == folder[:-2]
    return path.startswith(folder + "/")


def check_libraries(top):
    for path, text in sources(top):
        for kind, included in INCLUDE.findall(text):
            for pattern, reason in NEVER.items():
                if re.match(pattern, included):
                    yield f"{path}: never include <{included}>: {reason}"
            for pattern, folders in LIBRARIES.items():
                if kind == "<" and re.match(pattern, included):
                    if not any(is_below(path, folder) for folder in folders):
                        yield f"{path}: <{included}> stops in {' and '.join(folders) or 'tests'}"


def check_readmes(top):
    rooms = {pathlib.PurePosixPath(path).parent.as_posix() for path, _ in
             sources(top, suffixes=(".h", ".cpp", ".sql"))} - {"sftpd"}
    rooms |= {folder for folder in ROOMS_BESIDE if any((top / folder).glob("*.*"))}
    for room in sorted(rooms):
        readme = top / room / "README.md"
        if not readme.exists():
            yield f"{room}: has no README.md"
        elif len(readme.read_text(encoding="utf-8").splitlines()) > README_LINES_MAX:
            yield f"{room}/README.md: longer than {README_LINES_MAX} lines"


def check_all_is_built(top, compile_commands):
    built = {pathlib.Path(entry["file"]).resolve() for entry in
             json.loads(compile_commands.read_text(encoding="utf-8"))}
    for path, _ in sources(top, SOURCE_FOLDERS + ["tests"], suffixes=(".cpp",)):
        if not path.startswith("tests/fuzz/") and (top / path).resolve() not in built:
            yield f"{path}: is not built"


def check_nothing_is_left_open(top):
    for path, text in sources(top, SOURCE_FOLDERS + ["tests"], suffixes=(".h", ".cpp", ".sql")):
        for number, line in enumerate(text.splitlines(), 1):
            if LEFT_OPEN.search(line):
                yield f"{path}:{number}: {line.strip()}"


def check_promises_have_tests(top):
    """Each line of docs/semantics.md names tests that exist, and at least one."""
    page = top / "docs/semantics.md"
    if not page.exists():
        return
    tests = {path.name: set(TEST_FUNCTION.findall(path.read_text(encoding="utf-8")))
             for path in (top / "tests/end_to_end").glob("test_*.py")}
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        named = NAMED_TEST.findall(line)
        if line.startswith("|") and not named and not TABLE_HEAD.match(line):
            yield f"docs/semantics.md:{number}: names no test"
        for file, test in named:
            known = tests.get(file, set()) if file else set().union(*tests.values())
            if file and file not in tests:
                yield f"docs/semantics.md:{number}: there is no {file}"
            elif test and test not in known:
                yield f"docs/semantics.md:{number}: there is no test {test}"


def check_headers_are_read_once(top):
    for path, text in sources(top, SOURCE_FOLDERS + ["tests"], suffixes=(".h",)):
        if "#pragma once" not in text:
            yield f"{path}: lacks #pragma once"


def main(arguments):
    top = pathlib.Path(arguments[0]).resolve()
    wrong = [line for check in (check_arrows, check_libraries, check_readmes,
                                check_nothing_is_left_open, check_promises_have_tests,
                                check_headers_are_read_once)
             for line in check(top)]
    if len(arguments) > 1:
        wrong += check_all_is_built(top, pathlib.Path(arguments[1]))
    print("\n".join(wrong) or "The tree is as the guide wants it.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
