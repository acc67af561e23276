"""asyncssh: large requests by limits@openssh.com, many files at once."""

import asyncio
import contextlib

import asyncssh

from support.content import content, photo_folder, times_of, tree_of


@contextlib.asynccontextmanager
async def session(server):
    async with asyncssh.connect(server.host, server.port, username=server.user,
                                password=server.password, known_hosts=None, client_keys=None,
                                agent_path=None, config=None) as connection:
        async with connection.start_sftp_client() as sftp:
            yield sftp


def test_trees_both_ways_with_times(server, remote, tmp_path):
    photos = photo_folder(tmp_path / "photos")

    async def work():
        async with session(server) as sftp:
            await sftp.put(str(photos), f"{remote}/photos", recurse=True, preserve=True)
            await sftp.get(f"{remote}/photos", str(tmp_path / "back"), recurse=True, preserve=True)
    asyncio.run(work())
    assert tree_of(tmp_path / "back") == tree_of(photos)
    assert times_of(tmp_path / "back") == times_of(photos)


def test_mput_mget_and_remote_copy(server, remote, tmp_path):
    photos = photo_folder(tmp_path / "photos", 9)

    async def work():
        async with session(server) as sftp:
            await sftp.mput(f"{photos}/2024/*", remote, recurse=True)
            await sftp.copy(f"{remote}/05", f"{remote}/copy", recurse=True)
            (tmp_path / "back").mkdir()
            await sftp.mget(f"{remote}/*", str(tmp_path / "back"), recurse=True)
    asyncio.run(work())
    assert tree_of(tmp_path / "back/copy") == tree_of(photos / "2024/05")
    assert tree_of(tmp_path / "back/06") == tree_of(photos / "2024/06")


def test_many_files_at_once_on_one_connection(server, remote):
    async def round_trip(sftp, number):
        async with sftp.open(f"{remote}/{number}", "wb") as file:
            await file.write(content(100_000 + number, number))
        async with sftp.open(f"{remote}/{number}", "rb") as file:
            return await file.read() == content(100_000 + number, number)

    async def work():
        async with session(server) as sftp:
            return await asyncio.gather(*(round_trip(sftp, number) for number in range(60)))
    assert all(asyncio.run(work()))


def test_attributes(server, remote):
    async def work():
        async with session(server) as sftp:
            await sftp.makedirs(f"{remote}/a/b")
            async with sftp.open(f"{remote}/a/b/file", "w") as file:
                await file.write("0123456789")
            await sftp.truncate(f"{remote}/a/b/file", 5)
            await sftp.utime(f"{remote}/a/b/file", (1_400_000_000, 1_500_000_000))
            await sftp.chmod(f"{remote}/a/b/file", 0o640)
            found = await sftp.stat(f"{remote}/a/b/file")
            space = await sftp.statvfs(remote)
            sizes = await sftp.getsize(f"{remote}/a/b/file"), await sftp.isdir(f"{remote}/a")
            await sftp.rmtree(f"{remote}/a")
            return found, space, sizes, await sftp.exists(f"{remote}/a")
    found, space, sizes, exists = asyncio.run(work())
    assert (found.size, found.atime, found.mtime) == (5, 1_400_000_000, 1_500_000_000)
    assert found.permissions == 0o100640 and sizes == (5, True) and not exists
    assert space.bavail > 0
