// Enqueues a job through a Redis stream: one command, and no client of ours.
//
// Compline reads the stream with a consumer group and acknowledges an entry when its job is stored. An entry that cannot
// become a job is set aside with its error. `key` makes a second entry of the same kind and key the same job.

import { createClient } from "redis";

const client = createClient({ url: process.env.REDIS_URL });
await client.connect();
try {
  const entry = { kind: "system.noop", args: JSON.stringify({}), key: "order-19", tags: JSON.stringify(["example"]) };
  console.log("added", await client.xAdd("compline:enqueue", "*", entry));
} finally {
  await client.close();
}
