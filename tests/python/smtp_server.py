"""A real mail server for tests: prints its port, then each mail that it takes as a line of JSON.

smtp_server.py PORT plain|starttls|tls [CERTIFICATE KEY] [USER PASSWORD]

PORT 0 is any free one. With a user, whoever does not sign in is refused. A recipient named `nobody` is refused with the
address repeated, as servers do.
"""

import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return f"550 <{address}> is unknown here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        told = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "headers": {name.lower(): str(value) for name, value in mail.items()},
            "text": mail.get_content(),
            "encrypted": session.ssl is not None or mode == "tls",
            "user": session.auth_data,
        }
        print(json.dumps(told), flush=True)
        return "250 OK"


port, mode, rest = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
context, credentials = None, None
if mode != "plain":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(rest[0], rest[1])
    rest = rest[2:]
if rest:
    credentials = (rest[0].encode(), rest[1].encode())


def authenticate(server, session, envelope, mechanism, data):
    good = credentials == (data.login, data.password)
    return AuthResult(success=good, handled=False, auth_data=data.login.decode() if good else None)


def smtp():
    return SMTP(
        Handler(),
        hostname="mail.test",
        tls_context=context if mode == "starttls" else None,
        require_starttls=mode == "starttls",
        authenticator=authenticate,
        auth_required=credentials is not None,
        auth_require_tls=mode == "starttls",
    )


async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(smtp, "127.0.0.1", port, ssl=context if mode == "tls" else None)
    print(server.sockets[0].getsockname()[1], flush=True)
    # Ends with whoever started it.
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
