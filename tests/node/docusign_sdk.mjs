// DocuSign's own SDK for Node, unmodified, against the emulator: the steps of tests/python/docusign_sdk.py, and the keys of
// Connect, which only this one has. Each step checks its answer; their names are printed.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import net from "node:net";
import tls from "node:tls";

const sdk = createRequire(`${process.env.COMPLINE_TEST_NODE}/`)("docusign-esign");
const { EMULATOR: url, OAUTH_HOST: host, ACCOUNT_ID: account } = process.env;

// The SDK speaks https to the OAuth server whatever one says.
const target = new URL(url);
const front = tls.createServer(
  { cert: readFileSync(process.env.TLS_CERTIFICATE), key: readFileSync(process.env.TLS_KEY) },
  (inside) => {
    const outside = net.connect(Number(target.port), target.hostname);
    inside.pipe(outside).pipe(inside);
    inside.on("error", () => outside.destroy());
    outside.on("error", () => inside.destroy());
  },
);
await new Promise((listening) => front.listen(Number(host.split(":")[1]), "127.0.0.1", listening));

const client = new sdk.ApiClient();
const envelopes = new sdk.EnvelopesApi(client);
const connect = new sdk.ConnectApi(client);
const text = Buffer.from("sign /here/").toString("base64");
const shared = {};

const definition = (transaction, status) => ({
  emailSubject: "A report",
  status,
  transactionId: transaction,
  documents: [{ documentId: "1", name: "report", fileExtension: "txt", documentBase64: text }],
  recipients: {
    signers: [
      {
        recipientId: "1",
        routingOrder: "1",
        name: "Ann",
        email: "ann@example.com",
        clientUserId: "c1",
        tabs: { signHereTabs: [{ anchorString: "/here/" }] },
      },
    ],
    carbonCopies: [{ recipientId: "2", routingOrder: "2", name: "Bob", email: "bob@example.com" }],
  },
  customFields: { textCustomFields: [{ name: "key", value: transaction }] },
});
const create = (transaction, status) =>
  envelopes.createEnvelope(account, { envelopeDefinition: definition(transaction, status) });
const ids = (found) => found.envelopes.map((envelope) => envelope.envelopeId).sort();
const refused = (call, status, code) =>
  assert.rejects(call, (error) => {
    assert.equal(error.response.status, status);
    assert.equal((error.response.body ?? error.response.data).errorCode, code);
    return true;
  });

const steps = {
  async token() {
    client.setOAuthBasePath(host);
    const key = readFileSync(process.env.PRIVATE_KEY);
    const scopes = ["signature", "impersonation"];
    const { INTEGRATION_KEY, USER_ID } = process.env;
    const { body } = await client.requestJWTUserToken(INTEGRATION_KEY, USER_ID, scopes, key, 3600);
    assert.equal(body.token_type, "Bearer");
    shared.token = body.access_token;
    client.addDefaultHeader("Authorization", `Bearer ${body.access_token}`);
  },
  async userinfo() {
    const user = await client.getUserInfo(shared.token);
    const [found] = user.accounts.filter((one) => String(one.isDefault) === "true");
    assert.equal(found.accountId, account);
    client.setBasePath(`${found.baseUri}/restapi`);
  },
  async create_from_json() {
    const summary = await create("js-1", "sent");
    assert.equal(summary.status, "sent");
    shared.first = summary.envelopeId;
  },
  async create_from_multipart() {
    const said = { ...definition("js-2", "sent"), documents: [{ documentId: "1", name: "report", fileExtension: "txt" }] };
    const body = [
      `--limit\r\nContent-Type: application/json\r\nContent-Disposition: form-data\r\n\r\n${JSON.stringify(said)}\r\n`,
      '--limit\r\nContent-Type: text/plain\r\nContent-Disposition: file; filename="report.txt"; documentid=1\r\n\r\n',
      "sign /here/\r\n--limit--\r\n",
    ].join("");
    const answer = await fetch(`${url}/restapi/v2.1/accounts/${account}/envelopes`, {
      method: "POST",
      headers: { Authorization: `Bearer ${shared.token}`, "Content-Type": "multipart/form-data; boundary=limit" },
      body,
    });
    assert.equal(answer.status, 201);
  },
  async draft_and_send() {
    const draft = await create("js-3", "created");
    assert.equal(draft.status, "created");
    await envelopes.update(account, draft.envelopeId, { envelope: { status: "sent" } });
    shared.third = draft.envelopeId;
  },
  async list_by_transaction() {
    const found = await envelopes.listStatusChanges(account, { transactionIds: "js-1,js-3" });
    assert.deepEqual(ids(found), [shared.first, shared.third].sort());
  },
  async list_by_custom_field_and_date() {
    const day = new Date(Date.now() - 86_400_000).toISOString();
    const found = await envelopes.listStatusChanges(account, { fromDate: day, customField: "key=js-3" });
    assert.deepEqual(ids(found), [shared.third]);
  },
  async status_of_many() {
    const envelopeIdsRequest = { envelopeIds: [shared.first, shared.third] };
    const found = await envelopes.listStatus(account, { envelopeIds: "request_body", envelopeIdsRequest });
    assert.deepEqual(ids(found), [shared.first, shared.third].sort());
  },
  async get() {
    const envelope = await envelopes.getEnvelope(account, shared.first);
    assert.deepEqual([envelope.status, envelope.emailSubject], ["sent", "A report"]);
  },
  async recipients() {
    const found = await envelopes.listRecipients(account, shared.first);
    assert.deepEqual(found.signers.map((it) => [it.name, it.status]), [["Ann", "sent"]]);
    assert.deepEqual(found.carbonCopies.map((it) => [it.name, it.status]), [["Bob", "created"]]);
  },
  async tabs() {
    const found = await envelopes.listTabs(account, shared.first, "1");
    assert.deepEqual(found.signHereTabs.map((it) => it.anchorString), ["/here/"]);
  },
  async custom_fields() {
    const found = await envelopes.listCustomFields(account, shared.first);
    assert.deepEqual(found.textCustomFields.map((it) => [it.name, it.value]), [["key", "js-1"]]);
  },
  async notification() {
    const found = await envelopes.getNotificationSettings(account, shared.first);
    assert.equal(found.expirations.expireAfter, "120");
  },
  async recipient_view() {
    const recipientViewRequest = {
      returnUrl: "http://localhost/back",
      authenticationMethod: "none",
      userName: "Ann",
      email: "ann@example.com",
      clientUserId: "c1",
    };
    const view = await envelopes.createRecipientView(account, shared.first, { recipientViewRequest });
    assert.match(await (await fetch(view.url)).text(), /Finish/);
  },
  async documents() {
    const signed = await fetch(`${url}/_emulator/envelopes/${shared.first}/recipients/1/sign`, { method: "POST" });
    assert.equal(signed.status, 200);
    const found = await envelopes.listDocuments(account, shared.first);
    assert.deepEqual(found.envelopeDocuments.map((it) => it.documentId), ["1", "certificate"]);
    for (const [document, begins] of Object.entries({ 1: "%PDF", combined: "%PDF", certificate: "%PDF", archive: "PK" })) {
      const bytes = await envelopes.getDocument(account, shared.first, document);
      assert.ok(String(bytes).startsWith(begins), document);
    }
  },
  async audit_events() {
    const found = await envelopes.listAuditEvents(account, shared.first);
    const fields = found.auditEvents.flatMap((event) => event.eventFields);
    const actions = fields.filter((field) => field.name === "Action").map((field) => field.value);
    assert.deepEqual(actions, ["Registered", "Sent Invitations", "Viewed", "Signed", "Completed"]);
  },
  async resend() {
    await envelopes.update(account, shared.third, { resendEnvelope: "true", envelope: {} });
  },
  async void() {
    const envelope = { status: "voided", voidedReason: "a mistake" };
    await envelopes.update(account, shared.third, { envelope });
    assert.equal((await envelopes.getEnvelope(account, shared.third)).voidedReason, "a mistake");
    await refused(envelopes.update(account, shared.third, { envelope }), 400, "ENVELOPE_CANNOT_VOID_INVALID_STATE");
  },
  async delete_a_draft() {
    const draft = await create("js-4", "created");
    const foldersRequest = { envelopeIds: [draft.envelopeId] };
    await new sdk.FoldersApi(client).moveEnvelopes(account, "recyclebin", { foldersRequest });
    assert.equal((await envelopes.getEnvelope(account, draft.envelopeId)).status, "deleted");
  },
  async unknown() {
    const nobody = "00000000-0000-4000-8000-000000000000";
    await refused(envelopes.getEnvelope(account, nobody), 404, "ENVELOPE_DOES_NOT_EXIST");
  },
  async keys() {
    const keys = async () => (await (await fetch(`${url}/_emulator/connect/keys`)).json()).keys;
    await connect.createConnectSecret(account);
    const [key] = await keys();
    await connect.getConnectSecret(account);
    await connect.deleteConnectSecret(account, key.keyId);
    assert.deepEqual(await keys(), []);
  },
};

for (const [name, run] of Object.entries(steps)) {
  await run();
  console.log(name);
}
front.close();
process.exit(0);
