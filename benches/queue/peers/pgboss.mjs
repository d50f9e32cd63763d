// pg-boss, tuned: two workers that fetch 2,000 jobs each, without a pause while batches come full, woken by NOTIFY.
// The handler gets an array and succeeds or fails as a whole.

import pg from "pg";
import { PgBoss } from "pg-boss";
import { pickupClient, report, Stamps, Starts, timed } from "./clock.mjs";

const QUEUE = "bench";
const PER_CALL = 5000;

const [command, url, ...rest] = process.argv.slice(2);

const commands = {
  async setup() {
    const boss = await start();
    await boss.createQueue(QUEUE, { notify: true });
    report({ ok: true });
  },

  async "enqueue-batch"(n) {
    const count = Number(n);
    const boss = await client();
    let sent = 0;
    const seconds = await timed(Math.ceil(count / PER_CALL), 1, async () => {
      const size = Math.min(PER_CALL, count - sent);
      const jobs = Array.from({ length: size }, (_, i) => ({ data: { i: sent + i } }));
      sent += size;
      await boss.insert(QUEUE, jobs);
    });
    report({ seconds, count });
  },

  async "enqueue-single"(n, inflight) {
    const boss = await client();
    const seconds = await timed(Number(n), Number(inflight), (i) => boss.send(QUEUE, { i }));
    report({ seconds, count: Number(n) });
  },

  async drain(n) {
    const starts = new Starts(Number(n));
    const pool = new pg.Pool({ connectionString: url, max: 1 });
    await pool.query("SELECT 1");
    await work(starts);
    await starts.reportDrained(async () => {
      const { rows } = await pool.query(
        "SELECT NOT EXISTS (SELECT FROM pgboss.job WHERE name = $1 AND state < 'completed') AS empty",
        [QUEUE],
      );
      return rows[0].empty;
    });
  },

  async "pickup-worker"(n) {
    const stamps = new Stamps(Number(n));
    await work(stamps);
    report({ ready: true });
    await stamps.report();
  },

  async "pickup-client"(n, seed) {
    const boss = await client();
    await pickupClient(Number(n), Number(seed), (i) => boss.send(QUEUE, { i }));
  },
};

async function start() {
  const boss = new PgBoss({ connectionString: url, max: 16, useListenNotify: true });
  boss.on("error", (error) => process.stderr.write(`${error.stack}\n`));
  await boss.start();
  return boss;
}

async function client() {
  const boss = await start();
  // Every pooled connection is opened, and the queue looked up, before the clock starts.
  await Promise.all(Array.from({ length: 16 }, () => boss.getDb().executeSql("SELECT pg_sleep(0.02)")));
  await boss.getQueue(QUEUE);
  return boss;
}

async function work(recorder) {
  const boss = await start();
  await boss.work(
    QUEUE,
    { batchSize: 2000, localConcurrency: 2, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5 },
    async (jobs) => {
      for (const job of jobs) recorder.record(job.data.i);
    },
  );
}

await commands[command](...rest);
process.exit(0);
