"""A mail server that speaks SMTP (RFC 5321) as far as Django asks it to, and keeps what it was given."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from socketserver import StreamRequestHandler, ThreadingTCPServer


@dataclass
class MailServer:
    """Answers messages with these replies, the last of them for ever."""

    replies: list[bytes]
    port: int = 0
    messages: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    has_read: threading.Event = field(default_factory=threading.Event)
    may_answer: threading.Event = field(default_factory=threading.Event)

    def reply(self) -> bytes:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


class Server(ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    mail: MailServer


class Handler(StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        self.say(b"220 tests")
        to: list[str] = []
        verb = b""
        while verb != b"QUIT" and (line := self.rfile.readline()):
            verb = line[:4].upper()
            if verb == b"RCPT":
                to.append(line.decode().partition("<")[2].partition(">")[0])
            if verb == b"DATA":
                self.read_message(to)
            else:
                self.say(b"221 bye" if verb == b"QUIT" else b"250 ok")

    def read_message(self, to: list[str]) -> None:
        self.say(b"354 go on")
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b"."))
        mail = self.server.mail
        mail.messages.append(message_from_bytes(b"".join(lines), policy=policy.default))
        mail.recipients.append(list(to))
        mail.has_read.set()
        mail.may_answer.wait()
        self.say(mail.reply())

    def say(self, text: bytes) -> None:
        with suppress(OSError):  # the other side was killed
            self.wfile.write(text + b"\r\n")


@contextmanager
def serving_mail(*replies: bytes, hold: bool = False) -> Iterator[MailServer]:
    """With ``hold`` no message is answered until ``may_answer`` is set."""
    with Server(("127.0.0.1", 0), Handler) as server:
        server.mail = mail = MailServer([*replies] or [b"250 taken"], port=server.server_address[1])
        if not hold:
            mail.may_answer.set()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield mail
        finally:
            mail.may_answer.set()
            server.shutdown()
            thread.join()
