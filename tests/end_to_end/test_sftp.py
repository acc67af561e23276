"""OpenSSH's sftp: every command of its manual page."""

import os
import re
import stat

import pytest

from support.content import content, digest, photo_folder, times_of, tree_of, write_file
from support.openssh_client import sftp
from support.raw_sftp import Attrs


def test_put_and_get_return_the_same_bytes(server, remote, tmp_path):
    for size in (0, 1, 32_768, 261_120, 261_121, 5_000_000):
        write_file(tmp_path / f"{size}", content(size))
    (tmp_path / "back").mkdir()
    sftp(server, [f"cd {remote}", f"put {tmp_path}/[0-9]*", f"lcd {tmp_path}/back", "get *"])
    sent = {path.name: digest(path) for path in tmp_path.iterdir() if path.is_file()}
    assert tree_of(tmp_path / "back") == sent


def test_photo_folder_put_listed_renamed_and_downloaded(server, remote, tmp_path):
    photos = photo_folder(tmp_path / "photos")
    listed = sftp(server, [f"cd {remote}", f"put -r {photos}", "ls -l photos/2024",
                           "rename photos pictures", "ls", f"lcd {tmp_path}", "get -r pictures"],
                  seconds=180).stdout
    assert re.search(r"^drwx.* photos/2024/05$", listed, re.M) and "pictures" in listed, listed
    assert tree_of(tmp_path / "pictures") == tree_of(photos)


def test_preserve_keeps_times_and_modes_both_ways(server, remote, tmp_path, raw):
    photos = photo_folder(tmp_path / "photos", 6)
    os.chmod(photos / "2024/05/IMG_0000.JPG", 0o640)
    sftp(server, [f"cd {remote}", f"put -pr {photos}"])
    assert raw.stat(f"{remote}/photos/2024/05/IMG_0000.JPG").permissions & 0o7777 == 0o640
    sftp(server, [f"cd {remote}", f"lcd {tmp_path}", "get -pr photos back"])
    assert times_of(tmp_path / "back") == times_of(photos)
    assert stat.S_IMODE((tmp_path / "back/2024/05/IMG_0000.JPG").stat().st_mode) == 0o640


def test_put_with_fsync(server, remote, tmp_path, raw):
    source = write_file(tmp_path / "source", content(400_000))
    sftp(server, [f"put -f {source} {remote}/kept"])
    assert raw.get(f"{remote}/kept") == source.read_bytes()


def test_reput_continues_an_upload(server, remote, tmp_path, raw):
    whole = content(1_500_000)
    source = write_file(tmp_path / "film.mov", whole)
    raw.put(f"{remote}/film.mov", whole[:1_000_000])
    sftp(server, [f"reput {source} {remote}/film.mov"])
    assert raw.get(f"{remote}/film.mov") == whole
    raw.put(f"{remote}/film.mov", whole[:777_777])
    sftp(server, [f"put -a {source} {remote}/film.mov"])
    assert raw.get(f"{remote}/film.mov") == whole


def test_reget_continues_a_download(server, remote, tmp_path, raw):
    whole = content(1_500_000)
    raw.put(f"{remote}/film.mov", whole)
    partial = write_file(tmp_path / "film.mov", whole[:1_000_000])
    sftp(server, [f"reget {remote}/film.mov {partial}"])
    assert partial.read_bytes() == whole


def test_put_replaces_a_longer_file(server, remote, tmp_path, raw):
    raw.put(f"{remote}/file", content(300_000))
    sftp(server, [f"put {write_file(tmp_path / 'short', b'short')} {remote}/file"])
    assert raw.get(f"{remote}/file") == b"short"


def test_rename_replaces_and_rename_l_refuses(server, remote, raw):
    raw.put(f"{remote}/a", b"first")
    raw.put(f"{remote}/b", b"second")
    sftp(server, [f"rename -l {remote}/a {remote}/b"], expect="failure")
    assert raw.get(f"{remote}/a") == b"first" and raw.get(f"{remote}/b") == b"second"
    sftp(server, [f"rename {remote}/a {remote}/b"])
    assert raw.get(f"{remote}/b") == b"first" and not raw.exists(f"{remote}/a")


def test_mkdir_rmdir_and_rm(server, remote, raw):
    raw.put(f"{remote}/one.txt", b"1")
    raw.put(f"{remote}/two.txt", b"2")
    sftp(server, [f"cd {remote}", "mkdir a", "mkdir a/b", "rmdir a/b", "rm *.txt", "rmdir a"])
    assert raw.list(remote) == {}


def test_mkdir_of_what_exists_and_rmdir_of_what_is_not_empty_fail(server, remote, raw):
    raw.mkdir(f"{remote}/full")
    raw.put(f"{remote}/full/file", b"1")
    sftp(server, [f"mkdir {remote}/full"], expect="failure")
    sftp(server, [f"rmdir {remote}/full"], expect="failure")
    sftp(server, [f"rm {remote}/none"], expect="failure")
    assert raw.get(f"{remote}/full/file") == b"1"


def test_symlinks_are_followed(server, remote, tmp_path, raw):
    raw.mkdir(f"{remote}/real")
    raw.put(f"{remote}/real/file", b"content")
    sftp(server, [f"cd {remote}", "ln -s real link", "symlink real/file direct", "cd link",
                  f"get file {tmp_path}/file", f"get ../direct {tmp_path}/direct"])
    assert (tmp_path / "file").read_bytes() == (tmp_path / "direct").read_bytes() == b"content"
    assert raw.readlink(f"{remote}/link") == b"real"


def test_chmod_and_listing_show_modes(server, remote, raw):
    raw.put(f"{remote}/file", b"1")
    listed = sftp(server, [f"chmod 600 {remote}/file", f"ls -l {remote}/file"]).stdout
    assert re.search(r"^-rw-------", listed, re.M), listed
    assert raw.stat(f"{remote}/file").permissions == 0o100600


def test_chown_and_chgrp_to_oneself_are_accepted(server, remote, raw):
    raw.put(f"{remote}/file", b"1")
    before = raw.stat(f"{remote}/file")
    sftp(server, [f"chown {before.uid} {remote}/file", f"chgrp {before.gid} {remote}/file"])
    after = raw.stat(f"{remote}/file")
    assert (after.uid, after.gid) == (before.uid, before.gid)


def test_df_shows_plausible_space(server, remote):
    printed = sftp(server, [f"df {remote}", f"df -h {remote}", f"df -i {remote}"]).stdout
    size, used, available = re.search(r"^ *(\d+) +(\d+) +(\d+)", printed, re.M).groups()
    assert int(size) > 0 and int(available) > 0 and int(used) <= int(size)


def test_listings(server, remote, raw):
    for name, size in (("small", 1), ("large", 100_000), (".hidden", 2)):
        raw.put(f"{remote}/{name}", content(size), attrs=Attrs(permissions=0o644))
    raw.setstat(f"{remote}/small", Attrs(atime=1_500_000_000, mtime=1_500_000_000))
    raw.setstat(f"{remote}/large", Attrs(atime=1_000_000_000, mtime=1_000_000_000))
    printed = sftp(server, [f"ls {remote}"]).stdout
    assert "small" in printed and ".hidden" not in printed
    assert ".hidden" in sftp(server, [f"ls -a {remote}"]).stdout
    long = sftp(server, [f"ls -l {remote}"]).stdout
    assert re.search(r"^-rw-r--r-- .* 100000 .*Sep +(8|9) +2001 .*large$", long, re.M), long
    numeric = sftp(server, [f"cd {remote}", "ls -n"]).stdout
    assert re.search(r"^-rw-r--r-- .* 1 Jul 14 +2017 .*small$", numeric, re.M), numeric

    def order(options):
        shown = sftp(server, [f"ls -1 {options} {remote}"]).stdout
        return re.findall(r"(small|large)$", shown, re.M)
    assert order("-t") == ["small", "large"] and order("-tr") == ["large", "small"]
    assert order("-S") == ["large", "small"]


def test_cp_copies_on_the_server(server, remote, raw):
    original = content(3_000_000)
    raw.put(f"{remote}/a", original)
    sftp(server, [f"cp {remote}/a {remote}/b"])
    raw.put(f"{remote}/a", b"changed")
    assert raw.get(f"{remote}/b") == original


def test_cd_pwd_and_progress(server, remote, raw):
    raw.mkdir(f"{remote}/below")
    raw.put(f"{remote}/file", b"1")
    printed = sftp(server, ["progress", f"cd {remote}/below", "pwd", "cd ..", "pwd", "lpwd",
                            "version", "!true"]).stdout
    assert f"Remote working directory: {remote}/below\n" in printed
    assert f"Remote working directory: {remote}\n" in printed
    sftp(server, [f"cd {remote}/file"], expect="failure")
    sftp(server, [f"cd {remote}/none"], expect="failure")


def test_relative_paths_begin_at_home(server, remote, raw, tmp_path):
    raw.put(f"{remote}/file", b"at home")
    relative = remote.rsplit("/", 1)[1]
    sftp(server, [f"get {relative}/file {tmp_path}/got"])
    assert (tmp_path / "got").read_bytes() == b"at home"
    # A path on the command line, too.
    sftp(server, [f"get file {tmp_path}/again"], start=relative)
    assert (tmp_path / "again").read_bytes() == b"at home"


@pytest.mark.parametrize("buffer, requests", [(1000, 1), (32_768, 128), (261_120, 256)])
def test_request_sizes_and_counts(server, remote, tmp_path, raw, buffer, requests):
    whole = content(buffer * 40 + 17 if buffer > 10_000 else 50_017)
    source = write_file(tmp_path / "source", whole)
    sftp(server, [f"put {source} {remote}/file", f"get {remote}/file {tmp_path}/back"],
         "-B", str(buffer), "-R", str(requests))
    assert (tmp_path / "back").read_bytes() == whole


def test_transfers_go_on_while_keys_are_exchanged_anew(server, remote, tmp_path):
    source = write_file(tmp_path / "source", content(24 << 20))
    sftp(server, [f"put {source} {remote}/file", f"get {remote}/file {tmp_path}/back"],
         "-o", "RekeyLimit=1M")
    assert digest(tmp_path / "back") == digest(source)


def test_compression(server, remote, tmp_path):
    source = write_file(tmp_path / "source", b"the same line again\n" * 100_000)
    sftp(server, [f"put {source} {remote}/file", f"get {remote}/file {tmp_path}/back"], "-C")
    assert digest(tmp_path / "back") == digest(source)


@pytest.mark.parametrize("cipher", ["aes256-ctr", "aes128-gcm@openssh.com",
                                    "chacha20-poly1305@openssh.com"])
def test_ciphers_clients_use(server, remote, tmp_path, cipher):
    source = write_file(tmp_path / "source", content(2_000_000))
    sftp(server, [f"put {source} {remote}/file", f"get {remote}/file {tmp_path}/back"],
         "-o", f"Ciphers={cipher}")
    assert digest(tmp_path / "back") == digest(source)


def test_hard_link_makes_a_link_or_says_no(server, remote, raw):
    raw.put(f"{remote}/a", b"1")
    done = sftp(server, [f"ln {remote}/a {remote}/b"], expect=None)
    assert raw.exists(f"{remote}/b") == (done.status == 0)
