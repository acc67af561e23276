"""Random operations in bursts, beside a model of what POSIX says. A seed repeats them exactly."""

import random

from support.content import content
from support.file_model import File
from support.raw_sftp import (CLOSE, EOF, EXTENDED, F_APPEND, F_CREAT, F_EXCL, F_READ, F_TRUNC,
                              F_WRITE, FSETSTAT, FSTAT, LSTAT, OK, READ, REMOVE, RENAME, STATUS,
                              WRITE, Attrs, StatusError, U64)

NAMES = ["a", "b", "c", "d"]
SIZE_MAX = 2_500_000


class Model:
    """Files by name, and open handles, as a disk has them."""

    def __init__(self):
        self.files, self.handles, self.opened_as = {}, {}, {}

    def all_files(self):
        """Also those without a name that are open."""
        return [*self.files.values(), *(file for file, _ in self.handles.values())]


class Run:
    """Sends operations on a few files of one directory, and checks every answer."""

    def __init__(self, raw, remote, seed):
        self.raw, self.remote, self.random = raw, remote, random.Random(seed)
        self.model, self.expected, self.trace = Model(), [], []
        # A gap reads as zeros, which nothing that is written has.
        self.pool = content(1 << 20, seed).replace(b"\0", b"\1")

    def path(self, name):
        return f"{self.remote}/{name}"

    def send(self, check, *request):
        """Sends; what comes back is checked when the burst ends."""
        self.trace.append(" ".join(str(part).rsplit("/", 1)[-1][:40] for part in request))
        self.expected.append((self.raw.send(*request), check, self.trace[-1]))

    def settle(self):
        for request_id, check, what in self.expected:
            reply = self.raw.reply(request_id)
            verdict = check(reply)
            if verdict is not True:
                history = "\n".join(self.trace[-60:])
                raise AssertionError(f"{what}: {verdict}: {str(reply)[:200]}\n{history}")
        self.expected = []
        for file in self.model.all_files():
            file.all_answered()

    def choices(self):
        """How often each operation is to be."""
        return {self.open: 3, self.write: 10, self.read: 8, self.resize: 2, self.sync: 1,
                self.close: 3, self.rename: 2, self.replace: 2, self.remove: 1, self.look: 3,
                self.copy: 1, self.settle: 4}

    def step(self):
        choices = self.choices()
        self.random.choices(list(choices), choices.values())[0]()

    def open(self):
        if len(self.model.handles) >= 6:
            return
        self.settle()
        name = self.random.choice(NAMES)
        flags = self.random.choice([
            F_READ, F_WRITE, F_READ | F_WRITE, F_WRITE | F_CREAT, F_READ | F_WRITE | F_CREAT,
            F_WRITE | F_CREAT | F_TRUNC, F_WRITE | F_CREAT | F_TRUNC, F_WRITE | F_APPEND | F_CREAT,
            F_WRITE | F_CREAT | F_EXCL])
        self.trace.append(f"OPEN {name} {flags}")
        exists = name in self.model.files
        possible = (exists or flags & F_CREAT) and not (exists and flags & F_EXCL)
        try:
            handle = self.raw.open(self.path(name), flags)
        except StatusError as refused:
            assert not possible, f"{refused}\n" + "\n".join(self.trace[-60:])
            return
        assert possible, "\n".join(self.trace[-60:])
        file = self.model.files.setdefault(name, File())
        if flags & F_TRUNC:
            file.resize(0)
        self.model.handles[handle] = (file, flags)
        self.model.opened_as[handle] = name

    def pick(self, flag):
        usable = [handle for handle, (_, flags) in self.model.handles.items() if flags & flag]
        return self.random.choice(usable) if usable else None

    def write(self):
        handle = self.pick(F_WRITE)
        if handle is None:
            return
        file, _ = self.model.handles[handle]
        length = self.random.choice([1, 100, 4096, 32_768, 200_000])
        offset = self.random.choice([len(file), len(file), self.random.randrange(SIZE_MAX),
                                     self.random.randrange(len(file) + 1)])
        if max(offset, len(file)) + length > SIZE_MAX:
            return
        self.write_at(handle, offset, length)

    def write_at(self, handle, offset, length):
        file, flags = self.model.handles[handle]
        begin = self.random.randrange(len(self.pool) - length)
        piece = self.pool[begin:begin + length]
        file.write(len(file) if flags & F_APPEND else offset, piece)
        self.send(lambda reply: reply.code == OK or "not written", WRITE, handle, U64(offset), piece)

    def read(self):
        handle = self.pick(F_READ)
        if handle is None:
            return
        file, _ = self.model.handles[handle]
        length = self.random.choice([1, 4096, 32_768, 200_000])
        offset = self.random.choice([0, self.random.randrange(len(file) + 1), len(file) + 5])
        right = bytes(file[offset:offset + length])

        def check(reply):
            if not right:
                return (reply.type == STATUS and reply.code == EOF) or "should be the end"
            if reply.type == STATUS:
                return "should be bytes"
            whole = 0 < len(reply.value) <= len(right) and right.startswith(reply.value)
            return whole or f"wrong bytes, {len(reply.value)} of {len(right)}"
        self.send(check, READ, handle, U64(offset), length)

    def resize(self):
        handle = self.pick(F_WRITE)
        if handle is None:
            return
        file, _ = self.model.handles[handle]
        size = self.random.choice([0, self.random.randrange(len(file) + 1),
                                   self.random.randrange(SIZE_MAX)])
        file.resize(size)
        self.send(lambda reply: reply.code == OK or "not resized", FSETSTAT, handle,
                  Attrs(size=size))

    def sync(self):
        handle = self.pick(F_WRITE)
        if handle is not None:
            committed = self.model.handles[handle][0].commit()
            self.send(lambda reply: (reply.code == OK and committed()) or "not synced", EXTENDED,
                      "fsync@openssh.com", handle)

    def close(self):
        if self.model.handles:
            handle = self.random.choice(list(self.model.handles))
            file, flags = self.model.handles.pop(handle)
            committed = file.commit() if flags & F_WRITE else lambda: True
            self.send(lambda reply: (reply.code == OK and committed()) or "not closed", CLOSE,
                      handle)

    def rename(self):
        old, new = self.random.choice(NAMES), self.random.choice(NAMES)
        possible = old in self.model.files and new not in self.model.files
        if possible:
            self.model.files[new] = self.model.files.pop(old)
        self.send(lambda reply: (reply.code == OK) == possible or "wrong verdict", RENAME,
                  self.path(old), self.path(new))

    def replace(self):
        old, new = self.random.choice(NAMES), self.random.choice(NAMES)
        possible = old in self.model.files
        if possible:
            self.model.files[old].commit()  # It may be: nobody promises it.
            self.model.files[new] = self.model.files.pop(old)
        self.send(lambda reply: (reply.code == OK) == possible or "wrong verdict", EXTENDED,
                  "posix-rename@openssh.com", self.path(old), self.path(new))

    def remove(self):
        name = self.random.choice(NAMES)
        possible = self.model.files.pop(name, None) is not None
        self.send(lambda reply: (reply.code == OK) == possible or "wrong verdict", REMOVE,
                  self.path(name))

    def look(self):
        handle = self.random.choice([None, *self.model.handles])
        if handle is not None:
            size = len(self.model.handles[handle][0])
            self.send(lambda reply: (reply.type != STATUS and reply.value.size == size) or
                      f"size should be {size}", FSTAT, handle)
            return
        name = self.random.choice(NAMES)
        file = self.model.files.get(name)
        size = None if file is None else len(file)
        self.send(lambda reply: ((reply.type == STATUS) if size is None else
                                 (reply.type != STATUS and reply.value.size == size)) or
                  f"size should be {size}", LSTAT, self.path(name))

    def copy(self):
        source, target = self.pick(F_READ), self.pick(F_WRITE)
        if source is None or target is None:
            return
        (from_file, _), (to_file, flags) = (self.model.handles[each] for each in (source, target))
        # OpenSSH refuses handles that were opened by one name, whatever it names now.
        same = self.model.opened_as[source] == self.model.opened_as[target]
        if same or from_file is to_file or flags & F_APPEND or not from_file:
            return
        offset = self.random.randrange(len(from_file))
        length = self.random.randrange(1, len(from_file) - offset + 1)
        at = self.random.randrange(len(to_file) + 1)
        if at + length > SIZE_MAX:
            return
        from_file.commit()  # It may be, as a file that is renamed.
        to_file.write(at, bytes(from_file[offset:offset + length]))
        self.send(lambda reply: reply.code == OK or "not copied", EXTENDED, "copy-data", source,
                  U64(offset), U64(length), target, U64(at))

    def finish(self):
        self.settle()
        for handle in self.model.handles:
            self.raw.close(handle)
        self.compare()

    def compare(self):
        found = {name.decode(): self.raw.get(self.path(name.decode()))
                 for name in self.raw.list(self.remote)}
        history = "\n".join(self.trace[-100:])
        assert set(found) == set(self.model.files), history
        for name, file in self.model.files.items():
            assert len(found[name]) == len(file), f"{name}\n{history}"
            assert found[name] == bytes(file), f"{name}\n{history}"
