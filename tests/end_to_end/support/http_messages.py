"""HTTP/1.1 messages, read whole: just enough of it for S3."""

import urllib.parse


class Message:
    """A request or an answer: its first line, headers as they came, and its body."""

    def __init__(self, first_line, headers, body=b""):
        self.first_line, self.headers, self.body = first_line, headers, body

    def header(self, name):
        for key, value in self.headers:
            if key.lower() == name:
                return value
        return None

    def head(self):
        lines = [self.first_line, *(f"{key}: {value}" for key, value in self.headers), "", ""]
        return "\r\n".join(lines).encode("latin-1")

    @property
    def method(self):
        return self.first_line.split(" ", 1)[0]

    @property
    def status(self):
        return int(self.first_line.split(" ", 2)[1])

    def operation(self):
        """What S3's API calls this request."""
        target = urllib.parse.urlsplit(self.first_line.split(" ")[1])
        query = urllib.parse.parse_qs(target.query, keep_blank_values=True)
        has_key = target.path.strip("/").count("/") > 0
        if "uploads" in query:
            return "CreateMultipartUpload" if self.method == "POST" else "ListMultipartUploads"
        if "uploadId" in query:
            part = "UploadPartCopy" if self.header("x-amz-copy-source") else "UploadPart"
            return {"PUT": part, "POST": "CompleteMultipartUpload", "DELETE": "AbortMultipartUpload",
                    "GET": "ListParts"}[self.method]
        of_object = {"PUT": "PutObject", "GET": "GetObject", "HEAD": "HeadObject",
                     "DELETE": "DeleteObject"}
        return of_object.get(self.method, self.method) if has_key else "ListObjects"


class Connection:
    """Reads messages from a socket, one after the other."""

    def __init__(self, sock):
        self.sock, self._input = sock, b""

    def read_request(self):
        """The next request; None if the other side closed the connection."""
        message = self._read_head()
        if message is None:
            return None
        if (message.header("expect") or "").lower() == "100-continue":
            self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            message.headers = [(key, value) for key, value in message.headers
                               if key.lower() != "expect"]
        message.body = self._take(int(message.header("content-length") or 0))
        return message

    def read_answer(self, method):
        message = self._read_head()
        if message is None:
            raise EOFError("no answer")
        if method == "HEAD" or message.status in (204, 304):
            return message
        if (message.header("transfer-encoding") or "").lower() == "chunked":
            self._read_chunks(message)
        else:
            message.body = self._take(int(message.header("content-length") or 0))
        return message

    def _read_chunks(self, message):
        """The message then says its length instead."""
        while length := int(self._line().split(b";")[0], 16):
            message.body += self._take(length)
            self._line()
        while self._line():
            pass
        message.headers = [(key, value) for key, value in message.headers
                           if key.lower() not in ("transfer-encoding", "trailer")]
        message.headers.append(("Content-Length", str(len(message.body))))

    def _read_head(self):
        while b"\r\n\r\n" not in self._input:
            if not self._more():
                return None
        head, _, self._input = self._input.partition(b"\r\n\r\n")
        first, *rest = head.decode("latin-1").split("\r\n")
        return Message(first, [tuple(line.split(": ", 1)) if ": " in line else
                               (line.rstrip(":"), "") for line in rest])

    def _line(self):
        while b"\r\n" not in self._input:
            if not self._more():
                raise EOFError("cut off")
        line, _, self._input = self._input.partition(b"\r\n")
        return line

    def _take(self, length):
        pieces, got = [self._input[:length]], min(length, len(self._input))
        self._input = self._input[length:]
        while got < length:
            piece = self.sock.recv(min(1 << 20, length - got))
            if not piece:
                raise EOFError("cut off")
            pieces.append(piece)
            got += len(piece)
        return b"".join(pieces)

    def _more(self):
        piece = self.sock.recv(1 << 16)
        self._input += piece
        return bool(piece)
