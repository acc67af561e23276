"""A small SFTP version 3 client that sends exactly what it is told, as early as it is told.

Real clients send the next requests before they have the answers to the first. `send()` returns at
once with the request's id; `reply()` waits for the answer to one id. The methods that are named after
requests do both and insist on success.
"""

import dataclasses
import struct

INIT, VERSION = 1, 2
OPEN, CLOSE, READ, WRITE, LSTAT, FSTAT, SETSTAT, FSETSTAT, OPENDIR, READDIR = range(3, 13)
REMOVE, MKDIR, RMDIR, REALPATH, STAT, RENAME, READLINK, SYMLINK = range(13, 21)
STATUS, HANDLE, DATA, NAME, ATTRS = range(101, 106)
EXTENDED, EXTENDED_REPLY = 200, 201

OK, EOF, NO_SUCH_FILE, PERMISSION_DENIED, FAILURE, BAD_MESSAGE = range(6)
OP_UNSUPPORTED = 8

F_READ, F_WRITE, F_APPEND, F_CREAT, F_TRUNC, F_EXCL = 1, 2, 4, 8, 16, 32


class StatusError(Exception):
    def __init__(self, code, message):
        super().__init__(f"status {code}: {message}")
        self.code, self.message = code, message


@dataclasses.dataclass
class Attrs:
    size: int = None
    uid: int = None
    gid: int = None
    permissions: int = None
    atime: int = None
    mtime: int = None

    def encode(self):
        flags, fields = 0, b""
        if self.size is not None:
            flags |= 1
            fields += struct.pack(">Q", self.size)
        if self.uid is not None:
            flags |= 2
            fields += struct.pack(">II", self.uid, self.gid)
        if self.permissions is not None:
            flags |= 4
            fields += struct.pack(">I", self.permissions)
        if self.mtime is not None:
            flags |= 8
            fields += struct.pack(">II", self.mtime if self.atime is None else self.atime, self.mtime)
        return struct.pack(">I", flags) + fields


class U64(int):
    """An integer that goes over the wire as eight bytes."""


class Reader:
    def __init__(self, raw):
        self.raw, self.at = raw, 0

    def u32(self):
        self.at += 4
        return struct.unpack_from(">I", self.raw, self.at - 4)[0]

    def u64(self):
        self.at += 8
        return struct.unpack_from(">Q", self.raw, self.at - 8)[0]

    def string(self):
        length = self.u32()
        self.at += length
        return self.raw[self.at - length:self.at]

    def attrs(self):
        flags, attrs = self.u32(), Attrs()
        if flags & 1:
            attrs.size = self.u64()
        if flags & 2:
            attrs.uid, attrs.gid = self.u32(), self.u32()
        if flags & 4:
            attrs.permissions = self.u32()
        if flags & 8:
            attrs.atime, attrs.mtime = self.u32(), self.u32()
        return attrs

    def rest(self):
        return self.raw[self.at:]


@dataclasses.dataclass
class Entry:
    name: bytes
    longname: bytes
    attrs: Attrs


@dataclasses.dataclass
class Reply:
    """The answer to one request; `value` depends on the type, for STATUS it is the message."""
    type: int
    value: object = None
    code: int = None

    def ok(self):
        """The value; throws StatusError for a status other than OK."""
        if self.type == STATUS and self.code != OK:
            raise StatusError(self.code, self.value)
        return self.value


def _decode(packet_type, reader):
    if packet_type == STATUS:
        code = reader.u32()
        return Reply(STATUS, reader.string().decode(), code)
    if packet_type in (HANDLE, DATA):
        return Reply(packet_type, reader.string())
    if packet_type == NAME:
        entries = [Entry(reader.string(), reader.string(), reader.attrs())
                   for _ in range(reader.u32())]
        return Reply(NAME, entries)
    if packet_type == ATTRS:
        return Reply(ATTRS, reader.attrs())
    if packet_type == EXTENDED_REPLY:
        return Reply(EXTENDED_REPLY, reader.rest())
    raise AssertionError(f"the server sent a packet of type {packet_type}")


def _encode(field):
    if isinstance(field, U64):
        return struct.pack(">Q", field)
    if isinstance(field, int):
        return struct.pack(">I", field)
    if isinstance(field, Attrs):
        return field.encode()
    raw = field.encode() if isinstance(field, str) else bytes(field)
    return struct.pack(">I", len(raw)) + raw


class RawSftp:
    def __init__(self, channel, version=3):
        self.channel, self.arrived, self.last_id, self.input = channel, {}, 0, b""
        self.channel.settimeout(60)
        self._send_packet(INIT, struct.pack(">I", version))
        packet_type, reader = self._receive_packet()
        assert packet_type == VERSION, packet_type
        self.version, self.extensions = reader.u32(), {}
        while reader.rest():
            name = reader.string().decode()
            self.extensions[name] = reader.string()

    # --- requests without waiting

    def send(self, packet_type, *fields):
        """Sends a request and returns its id."""
        self.last_id += 1
        self._send_packet(packet_type, struct.pack(">I", self.last_id) +
                          b"".join(_encode(field) for field in fields))
        return self.last_id

    def send_together(self, *requests):
        """Several requests in one write to the channel; returns their ids."""
        raw, ids = b"", []
        for packet_type, *fields in requests:
            self.last_id += 1
            body = struct.pack(">BI", packet_type, self.last_id)
            body += b"".join(_encode(field) for field in fields)
            raw += struct.pack(">I", len(body)) + body
            ids.append(self.last_id)
        self.channel.sendall(raw)
        return ids

    def reply(self, request_id):
        """Waits for the answer to one request; answers to others are kept."""
        while request_id not in self.arrived:
            packet_type, reader = self._receive_packet()
            answered = reader.u32()
            assert answered not in self.arrived, f"two answers to request {answered}"
            self.arrived[answered] = _decode(packet_type, reader)
        return self.arrived.pop(request_id)

    def ask(self, packet_type, *fields):
        """Sends a request and waits for its answer, whatever it is."""
        return self.reply(self.send(packet_type, *fields))

    # --- requests that must succeed

    def open(self, path, flags, attrs=Attrs()):
        return self.ask(OPEN, path, flags, attrs).ok()

    def close(self, handle):
        self.ask(CLOSE, handle).ok()

    def read(self, handle, offset, length):
        """Bytes, shorter at the end of the file, b"" past it."""
        reply = self.ask(READ, handle, U64(offset), length)
        return b"" if reply.type == STATUS and reply.code == EOF else reply.ok()

    def write(self, handle, offset, content):
        self.ask(WRITE, handle, U64(offset), content).ok()

    def stat(self, path):
        return self.ask(STAT, path).ok()

    def lstat(self, path):
        return self.ask(LSTAT, path).ok()

    def fstat(self, handle):
        return self.ask(FSTAT, handle).ok()

    def setstat(self, path, attrs):
        self.ask(SETSTAT, path, attrs).ok()

    def fsetstat(self, handle, attrs):
        self.ask(FSETSTAT, handle, attrs).ok()

    def mkdir(self, path, attrs=Attrs()):
        self.ask(MKDIR, path, attrs).ok()

    def rmdir(self, path):
        self.ask(RMDIR, path).ok()

    def remove(self, path):
        self.ask(REMOVE, path).ok()

    def rename(self, old, new):
        self.ask(RENAME, old, new).ok()

    def symlink(self, target, link):
        """In OpenSSH's order of arguments, which everyone follows."""
        self.ask(SYMLINK, target, link).ok()

    def readlink(self, path):
        return self.ask(READLINK, path).ok()[0].name

    def realpath(self, path):
        return self.ask(REALPATH, path).ok()[0].name

    def extended(self, name, *fields):
        return self.ask(EXTENDED, name, *fields)

    def posix_rename(self, old, new):
        self.extended("posix-rename@openssh.com", old, new).ok()

    def fsync(self, handle):
        self.extended("fsync@openssh.com", handle).ok()

    def statvfs(self, path):
        """f_bsize, f_frsize, f_blocks, f_bfree, f_bavail, f_files, f_ffree, f_favail, fsid, flag, namemax"""
        return struct.unpack(">11Q", self.extended("statvfs@openssh.com", path).ok())

    # --- whole files and directories

    def status_of(self, packet_type, *fields):
        """The status code a request is answered with; OK if it is answered with content."""
        reply = self.ask(packet_type, *fields)
        return reply.code if reply.type == STATUS else OK

    def exists(self, path):
        return self.status_of(LSTAT, path) == OK

    def get(self, path, piece=32768, in_flight=32):
        """The content of a file, read with many requests in flight."""
        handle = self.open(path, F_READ)
        size = self.fstat(handle).size
        content, waiting = bytearray(), []
        offsets = iter(range(0, size, piece))
        while True:
            while len(waiting) < in_flight and (offset := next(offsets, None)) is not None:
                waiting.append((offset, self.send(READ, handle, U64(offset), piece)))
            if not waiting:
                break
            offset, request_id = waiting.pop(0)
            part = self.reply(request_id).ok()
            wanted = min(piece, size - offset)
            while len(part) < wanted:
                more = self.read(handle, offset + len(part), wanted - len(part))
                assert more, f"the file ends at {offset + len(part)}, not at {size}"
                part += more
            content += part
        self.close(handle)
        return bytes(content)

    def put(self, path, content, flags=F_WRITE | F_CREAT | F_TRUNC, piece=32768, attrs=Attrs()):
        handle = self.open(path, flags, attrs)
        ids = [self.send(WRITE, handle, U64(offset), content[offset:offset + piece])
               for offset in range(0, len(content), piece)]
        for request_id in ids:
            self.reply(request_id).ok()
        self.close(handle)

    def list(self, path):
        """All entries but "." and "..", by name."""
        handle, entries = self.open_directory(path), {}
        for entry in self.entries(handle):
            if entry.name not in (b".", b".."):
                assert entry.name not in entries, f"{entry.name} was listed twice"
                entries[entry.name] = entry
        self.close(handle)
        return entries

    def open_directory(self, path):
        return self.ask(OPENDIR, path).ok()

    def entries(self, handle):
        """The entries of an open directory, until EOF."""
        while True:
            reply = self.ask(READDIR, handle)
            if reply.type == STATUS and reply.code == EOF:
                return
            yield from reply.ok()

    def remove_tree(self, path):
        for name, entry in self.list(path).items():
            below = (path.encode() if isinstance(path, str) else path) + b"/" + name
            if entry.attrs.permissions & 0o170000 == 0o040000:
                self.remove_tree(below)
            else:
                self.remove(below)
        self.rmdir(path)

    def hang_up(self):
        self.channel.close()

    # --- packets

    def _send_packet(self, packet_type, body):
        self.channel.sendall(struct.pack(">IB", len(body) + 1, packet_type) + body)

    def _receive_packet(self):
        length = struct.unpack(">I", self._receive(4))[0]
        assert 1 <= length <= 1 << 20, f"the server announced a packet of {length} bytes"
        raw = self._receive(length)
        return raw[0], Reader(raw[1:])

    def _receive(self, length):
        while len(self.input) < length:
            more = self.channel.recv(1 << 20)
            if not more:
                raise EOFError("the server closed the channel")
            self.input += more
        taken, self.input = self.input[:length], self.input[length:]
        return taken
