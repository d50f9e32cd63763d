"""Verifies a webhook with the library of Standard Webhooks.

verify_webhook.py SECRET; the headers as a line of JSON and then the body come on standard input. Prints the message, or null when it is not
to be believed.
"""

import datetime
import json
import sys

import standardwebhooks.webhooks as standard

headers, body = sys.stdin.read().split("\n", 1)
headers = json.loads(headers)


class Then(datetime.datetime):
    """The clock of the test that sent it stands still."""

    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.fromtimestamp(int(headers["webhook-timestamp"]), tz)


standard.datetime = Then
try:
    print(json.dumps(standard.Webhook(sys.argv[1]).verify(body, headers)))
except standard.WebhookVerificationError:
    print("null")
