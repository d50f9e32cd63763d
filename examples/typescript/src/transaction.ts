// Enqueues a job in the transaction that makes the order: there is never one without the other.
//
// `compline.enqueue(kind, args, options)` is an ordinary SQL function. Whatever happens before the commit, a crash of this
// program or a rollback, takes the job with it; after the commit workers know of it at once.

import pg from "pg";

async function enqueue(client: pg.Client, kind: string, args: object, options: object = {}): Promise<string> {
  const call = "SELECT compline.enqueue($1, $2::jsonb, $3::jsonb) AS id";
  const { rows } = await client.query<{ id: string }>(call, [kind, JSON.stringify(args), JSON.stringify(options)]);
  return rows[0]!.id;
}

async function transaction<T>(client: pg.Client, work: () => Promise<T>): Promise<T> {
  await client.query("BEGIN");
  try {
    const result = await work();
    await client.query("COMMIT");
    return result;
  } catch (problem) {
    await client.query("ROLLBACK");
    throw problem;
  }
}

const client = new pg.Client({ connectionString: process.env.DATABASE_URL });
await client.connect();
try {
  await client.query("CREATE TABLE IF NOT EXISTS orders (id integer PRIMARY KEY, total numeric NOT NULL)");

  const job = await transaction(client, async () => {
    await client.query("INSERT INTO orders VALUES (17, 99.50)");
    // Until the commit nobody else sees either of them.
    return enqueue(client, "system.noop", {}, { unique_key: "order-17", tags: ["example"] });
  });
  console.log("enqueued", job);

  let rolledBack = "";
  try {
    await transaction(client, async () => {
      await client.query("INSERT INTO orders VALUES (18, 1.00)");
      rolledBack = await enqueue(client, "system.noop", {}, { unique_key: "order-18" });
      throw new Error("the card was declined");
    });
  } catch (problem) {
    console.log("rolled back", rolledBack, `because ${(problem as Error).message}`);
  }
} finally {
  await client.end();
}
