#!/usr/bin/python3
"""A mail server for the stories, with aiosmtpd: stores every mail as a file in FOLDER.

mail_server.py FOLDER CERTIFICATE KEY USER PASSWORD

Port 2525 accepts mail from every client, 2587 after STARTTLS and authentication, 2465 over TLS after authentication. It
refuses recipients that begin with "nobody@", and quotes the mail in the refusal for "echo@".
"""

import itertools
import pathlib
import signal
import ssl
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

folder, certificate, key, user, password = sys.argv[1:]
numbers = itertools.count()


class Mailboxes:
    def __init__(self, way):
        self.way = way

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if envelope.rcpt_tos[0].startswith("echo@"):
            text = envelope.content.decode().split("\r\n\r\n", 1)[1]
            return "554 no, not this: " + " ".join(text.split())[:300]
        mail = pathlib.Path(folder, f"{next(numbers):04}")
        head = f"Way: {self.way}\r\nRcpt: {','.join(envelope.rcpt_tos)}\r\n"
        mail.with_suffix(".new").write_bytes(head.encode() + envelope.content)
        mail.with_suffix(".new").rename(mail.with_suffix(".eml"))
        return "250 OK"


def authenticator(server, session, envelope, mechanism, data):
    right = LoginPassword(user.encode(), password.encode())
    # not handled: the server itself says 535
    return AuthResult(success=data == right, handled=False)


tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(certificate, key)
signs_in = {"authenticator": authenticator, "auth_required": True}
controllers = [
    Controller(Mailboxes("plain"), hostname="127.0.0.1", port=2525),
    Controller(
        Mailboxes("starttls"), hostname="127.0.0.1", port=2587, tls_context=tls, require_starttls=True, **signs_in
    ),
    Controller(
        Mailboxes("tls"), hostname="127.0.0.1", port=2465, ssl_context=tls, auth_require_tls=False, **signs_in
    ),
]
for controller in controllers:
    controller.start()
print("listens", flush=True)
signal.sigwait({signal.SIGTERM, signal.SIGINT})
