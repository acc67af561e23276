"""What a file contains, and what it may contain after an accident."""


class File(bytearray):
    """Its content as those see it who have it open; `history` is what was asked of it since it was last known
    to be durable: writes, sizes, and commits of which nobody knows yet whether they happened. Until its first
    CLOSE or fsync is answered, a crash of the database may take back that it was made."""

    def __init__(self, durable=b""):
        super().__init__(durable)
        self.durable, self.history, self.answered = bytes(durable), [], 0
        self.is_sure_to_exist = False

    def write(self, offset, piece):
        self._change(("write", offset, piece))

    def resize(self, size):
        self._change(("resize", size))

    def commit(self):
        """Asks for it. What is returned is to be called when the answer is there, and returns True."""
        asked = ("commit", object())
        self.history.append(asked)

        def committed():
            self.is_sure_to_exist = True
            if asked in self.history:  # Else a later one was answered already.
                at = self.history.index(asked)
                self.durable = bytes(self._state_after(at))
                del self.history[:at + 1]
            return True
        return committed

    def all_answered(self):
        self.answered = len(self.history)

    def survives(self, found):
        """Whether it may contain `found` after kill -9: what was durable, what may have become so, or the
        received beginning of an upload that began at the start of an empty file or at the durable end."""
        state = bytearray(self.durable)
        bases = [[self.durable, len(state)]]  # each with the smallest size that the file had since
        if found == state:
            return True
        for step in self.history:
            _apply(step, state)
            for base in bases:
                base[1] = min(base[1], len(state))
            if step[0] == "commit":
                bases.append([bytes(state), len(state)])
                if found == state:
                    return True
            if state.startswith(found) and any(
                    least == 0 or found.startswith(base) for base, least in bases):
                return True
        return False

    def is_left_by_lost_connection(self, found):
        """Whether it may contain `found` when its handles were lost: all that was answered, and of what
        was not a beginning; of an upload, what lies behind a gap may be gone."""
        for count in range(self.answered, len(self.history) + 1):
            state = self._state_after(count)
            before_gap = (len(found) < len(state) and state.startswith(found) and
                          state[len(found)] == 0)
            if found == state or before_gap:
                return True
        return False

    def settle_on(self, found):
        """That is what it is now, durably."""
        self[:] = found
        self.is_sure_to_exist = True
        self.durable, self.history, self.answered = bytes(found), [], 0

    def _change(self, step):
        self.history.append(step)
        _apply(step, self)

    def _state_after(self, count):
        state = bytearray(self.durable)
        for step in self.history[:count]:
            _apply(step, state)
        return state


def _apply(step, content):
    if step[0] == "write":
        _, offset, piece = step
        if offset > len(content):
            content.extend(bytes(offset - len(content)))
        content[offset:offset + len(piece)] = piece
    elif step[0] == "resize":
        size = step[1]
        if size < len(content):
            del content[size:]
        else:
            content.extend(bytes(size - len(content)))
