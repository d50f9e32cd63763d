"""DocuSign's own SDK for Python, unmodified, against the emulator: every call that our client makes, and more.

    docusign_sdk.py key DIR       makes private.pem and public.pem
    docusign_sdk.py run           runs the steps, each of which checks its answer; prints their names

The SDK speaks https to the OAuth server whatever one says, so a front with a certificate of the test stands before the
emulator. The environment says where everything is.
"""

import base64
import io
import json
import os
import socket
import ssl
import sys
import threading
import zipfile
from datetime import datetime, timedelta, timezone

import urllib3


def key(folder):
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric import rsa

    private = rsa.generate_private_key(65537, 2048)
    pem = private.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    public = private.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
    for name, text in (("private.pem", pem), ("public.pem", public)):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(text)


def front(host, target):
    """TLS at `host`, plain to `target`, until the process ends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.environ["TLS_CERTIFICATE"], os.environ["TLS_KEY"])
    door = socket.create_server(("127.0.0.1", int(host.split(":")[1])))

    def pipe(source, sink):
        try:
            while part := source.recv(65536):
                sink.sendall(part)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def serve():
        while True:
            try:
                inside = context.wrap_socket(door.accept()[0], server_side=True)
            except OSError:
                continue  # Whoever called does not believe us, and says so itself.
            outside = socket.create_connection(target.removeprefix("http://").split(":"))
            for ends in ((inside, outside), (outside, inside)):
                threading.Thread(target=pipe, args=ends, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()


STEPS = []
LEFT_OUT = os.environ.get("LEAVE_OUT", "").split(",")


def step(run):
    STEPS.append(run)
    return run


def same(found, wanted):
    assert found == wanted, f"{found!r} is not {wanted!r}"


class Office:
    """What the steps share."""

    def __init__(self):
        import docusign_esign as sdk

        self.sdk = sdk
        self.url = os.environ["EMULATOR"]
        self.host = os.environ["OAUTH_HOST"]
        sdk.Configuration().ssl_ca_cert = os.environ["TLS_CA"]
        self.client = sdk.ApiClient(oauth_host_name=self.host)
        self.envelopes = sdk.EnvelopesApi(self.client)
        self.account = os.environ["ACCOUNT_ID"]

    def sign(self, envelope, recipient="1"):
        path = f"{self.url}/_emulator/envelopes/{envelope}/recipients/{recipient}/sign"
        same(urllib3.request("POST", path).status, 200)

    def definition(self, transaction, status):
        sdk = self.sdk
        signer = sdk.Signer(
            email="ann@example.com", name="Ann", recipient_id="1", routing_order="1", client_user_id="c1",
            tabs=sdk.Tabs(sign_here_tabs=[sdk.SignHere(anchor_string="/here/", anchor_units="pixels")]),
        )
        copy = sdk.CarbonCopy(email="bob@example.com", name="Bob", recipient_id="2", routing_order="2")
        text = base64.b64encode(b"sign /here/").decode()
        return sdk.EnvelopeDefinition(
            email_subject="A report", status=status, transaction_id=transaction,
            documents=[sdk.Document(document_base64=text, name="report", file_extension="txt", document_id="1")],
            recipients=sdk.Recipients(signers=[signer], carbon_copies=[copy]),
            custom_fields=sdk.CustomFields(text_custom_fields=[
                sdk.TextCustomField(name="key", value=transaction, show="false")]),
            notification=sdk.Notification(
                use_account_defaults="false",
                reminders=sdk.Reminders(reminder_enabled="true", reminder_delay="2", reminder_frequency="3"),
                expirations=sdk.Expirations(expire_enabled="true", expire_after="30", expire_warn="2")),
        )

    def refused(self, call, status, code):
        try:
            call()
        except self.sdk.ApiException as refused:
            same((refused.status, json.loads(refused.body)["errorCode"]), (status, code))
            assert refused.trace_token, "no trace token"
        else:
            raise AssertionError("it was not refused")


@step
def token(office):
    with open(os.environ["PRIVATE_KEY"], "rb") as file:
        private = file.read()
    answer = office.client.request_jwt_user_token(
        os.environ["INTEGRATION_KEY"], os.environ["USER_ID"], office.host, private, 3600,
        ["signature", "impersonation"])
    same((answer.token_type, str(answer.expires_in)), ("Bearer", "3600"))
    office.token = answer.access_token


@step
def userinfo(office):
    user = office.client.get_user_info(office.token)
    account = next(account for account in user.accounts if account.is_default)
    same(account.account_id, office.account)
    # Where a proxy stands before it, that is the way.
    office.client.host = os.environ.get("BASE_PATH") or account.base_uri + "/restapi"


@step
def create_from_json(office):
    summary = office.envelopes.create_envelope(office.account, envelope_definition=office.definition("py-1", "sent"))
    same((summary.status, summary.uri), ("sent", f"/envelopes/{summary.envelope_id}"))
    office.first = summary.envelope_id


@step
def create_from_multipart(office):
    said = office.client.sanitize_for_serialization(office.definition("py-2", "sent"))
    said["documents"] = [{"documentId": "1", "name": "report", "fileExtension": "txt"}]
    parts = [
        b"Content-Type: application/json\r\nContent-Disposition: form-data\r\n\r\n" + json.dumps(said).encode(),
        b'Content-Type: text/plain\r\nContent-Disposition: file; filename="report.txt"; documentid=1\r\n\r\n'
        b"sign /here/",
    ]
    body = b"".join(b"--limit\r\n" + part + b"\r\n" for part in parts) + b"--limit--\r\n"
    answer = urllib3.request(
        "POST", f"{office.url}/restapi/v2.1/accounts/{office.account}/envelopes", body=body,
        headers={"Authorization": f"Bearer {office.token}", "Content-Type": "multipart/form-data; boundary=limit"})
    same(answer.status, 201)
    office.second = answer.json()["envelopeId"]


@step
def draft_and_send(office):
    draft = office.envelopes.create_envelope(office.account, envelope_definition=office.definition("py-3", "created"))
    same(draft.status, "created")
    sent = office.envelopes.update(office.account, draft.envelope_id, envelope=office.sdk.Envelope(status="sent"))
    same(sent.envelope_id, draft.envelope_id)
    office.third = draft.envelope_id


@step
def list_by_transaction(office):
    found = office.envelopes.list_status_changes(office.account, transaction_ids="py-1,py-3")
    same({it.envelope_id for it in found.envelopes}, {office.first, office.third})


@step
def list_by_custom_field_and_date(office):
    day = (datetime.now(timezone.utc) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    found = office.envelopes.list_status_changes(office.account, from_date=day, custom_field="key=py-3")
    same([it.envelope_id for it in found.envelopes], [office.third])
    found = office.envelopes.list_status_changes(office.account, from_date=day, status="sent", count="1")
    same((found.result_set_size, found.start_position), ("1", "0"))


@step
def status_of_many(office):
    ids = office.sdk.EnvelopeIdsRequest(envelope_ids=[office.first, office.third])
    found = office.envelopes.list_status(office.account, envelope_ids="request_body", envelope_ids_request=ids)
    same({(it.envelope_id, it.status) for it in found.envelopes}, {(office.first, "sent"), (office.third, "sent")})


@step
def get(office):
    envelope = office.envelopes.get_envelope(office.account, office.first)
    same((envelope.status, envelope.email_subject), ("sent", "A report"))
    assert envelope.sent_date_time and envelope.expire_date_time


@step
def recipients(office):
    found = office.envelopes.list_recipients(office.account, office.first)
    same([(it.name, it.status) for it in found.signers], [("Ann", "sent")])
    same([(it.name, it.status) for it in found.carbon_copies], [("Bob", "created")])
    same(found.current_routing_order, "1")
    change = office.sdk.Recipients(signers=[
        office.sdk.Signer(recipient_id="1", name="Ann Other", email="ann@example.com", client_user_id="c1")])
    result = office.envelopes.update_recipients(office.account, office.third, recipients=change)
    same(result.recipient_update_results[0].error_details.error_code, "SUCCESS")
    same(office.envelopes.list_recipients(office.account, office.third).signers[0].name, "Ann Other")


@step
def tabs(office):
    found = office.envelopes.list_tabs(office.account, office.first, "1")
    same([it.anchor_string for it in found.sign_here_tabs], ["/here/"])


@step
def custom_fields(office):
    found = office.envelopes.list_custom_fields(office.account, office.first)
    same([(it.name, it.value) for it in found.text_custom_fields], [("key", "py-1")])
    more = office.sdk.CustomFields(text_custom_fields=[office.sdk.TextCustomField(name="more", value="1")])
    office.envelopes.create_custom_fields(office.account, office.first, custom_fields=more)
    found = office.envelopes.list_custom_fields(office.account, office.first)
    same([it.name for it in found.text_custom_fields], ["key", "more"])


@step
def notification(office):
    found = office.envelopes.get_notification_settings(office.account, office.first)
    same((found.reminders.reminder_delay, found.expirations.expire_after), ("2", "30"))
    change = office.sdk.EnvelopeNotificationRequest(
        expirations=office.sdk.Expirations(expire_enabled="true", expire_after="10", expire_warn="1"))
    changed = office.envelopes.update_notification_settings(
        office.account, office.first, envelope_notification_request=change)
    same((changed.reminders.reminder_delay, changed.expirations.expire_after), ("2", "10"))


@step
def recipient_view(office):
    wanted = office.sdk.RecipientViewRequest(
        return_url="http://localhost/back", authentication_method="none", user_name="Ann", email="ann@example.com",
        client_user_id="c1")
    view = office.envelopes.create_recipient_view(office.account, office.first, recipient_view_request=wanted)
    page = urllib3.request("GET", view.url)
    assert b"Finish" in page.data, page.data
    same(office.envelopes.get_envelope(office.account, office.first).status, "delivered")


@step
def documents(office):
    office.sign(office.first)
    found = office.envelopes.list_documents(office.account, office.first)
    same([it.document_id for it in found.envelope_documents], ["1", "certificate"])
    # The contract knows no archive, so a proxy that keeps it lets none through.
    archive = {} if "archive" in LEFT_OUT else {"archive": b"PK"}
    for document, begins in ({"1": b"%PDF", "combined": b"%PDF", "certificate": b"%PDF"} | archive).items():
        # This version gives bytes, others the path of a file.
        got = office.envelopes.get_document(office.account, document, office.first)
        assert got.startswith(begins), document
        if document == "archive":
            files = zipfile.ZipFile(io.BytesIO(got))
            same((files.namelist(), files.testzip()), (["report.pdf", "Summary.pdf"], None))


@step
def audit_events(office):
    found = office.envelopes.list_audit_events(office.account, office.first)
    actions = [field.value for event in found.audit_events for field in event.event_fields if field.name == "Action"]
    same(actions, ["Registered", "Sent Invitations", "Viewed", "Signed", "Completed"])


@step
def resend(office):
    office.envelopes.update(office.account, office.third, resend_envelope="true", envelope=office.sdk.Envelope())
    state = urllib3.request("GET", f"{office.url}/_emulator/state").json()
    same([it["resent"] for it in state["envelopes"] if it["envelopeId"] == office.third], [1])


@step
def void(office):
    voided = office.sdk.Envelope(status="voided", voided_reason="a mistake")
    office.envelopes.update(office.account, office.third, envelope=voided)
    found = office.envelopes.get_envelope(office.account, office.third)
    same((found.status, found.voided_reason), ("voided", "a mistake"))
    office.refused(lambda: office.envelopes.update(office.account, office.third, envelope=voided),
                   400, "ENVELOPE_CANNOT_VOID_INVALID_STATE")


@step
def delete_a_draft(office):
    draft = office.envelopes.create_envelope(office.account, envelope_definition=office.definition("py-4", "created"))
    folders = office.sdk.FoldersApi(office.client)
    folders.move_envelopes(office.account, "recyclebin",
                           folders_request=office.sdk.FoldersRequest(envelope_ids=[draft.envelope_id]))
    same(office.envelopes.get_envelope(office.account, draft.envelope_id).status, "deleted")


@step
def unknown(office):
    office.refused(lambda: office.envelopes.get_envelope(office.account, "00000000-0000-4000-8000-000000000000"),
                   int(os.environ.get("UNKNOWN_STATUS", "404")), "ENVELOPE_DOES_NOT_EXIST")


def run():
    office = Office()
    front(office.host, office.url)
    for one in STEPS:
        if one.__name__ not in LEFT_OUT:
            one(office)
            print(one.__name__, flush=True)


if __name__ == "__main__":
    key(sys.argv[2]) if sys.argv[1] == "key" else run()
