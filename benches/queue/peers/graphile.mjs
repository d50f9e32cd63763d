// graphile-worker, tuned: 1,000 jobs a fetch, 48 handlers, completions batched.
// A finished job is a deleted row; jobs in the local queue stay locked for four hours if the process dies.

import { Logger, makeWorkerUtils, run } from "graphile-worker";
import pg from "pg";
import { pickupClient, report, Stamps, Starts, timed } from "./clock.mjs";

const TASK = "noop";
const CONCURRENCY = 48;
const PER_CALL = 5000;
const quiet = new Logger(() => () => {});

const [command, url, ...rest] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString: url, max: 16 });
// graphile-worker insists on both handlers; an error that matters also fails the query that meets it.
pool.on("error", () => {});
pool.on("connect", (connection) => connection.on("error", () => {}));

const commands = {
  async setup() {
    const utils = await makeWorkerUtils({ pgPool: pool, logger: quiet });
    await utils.migrate();
    await utils.release();
    report({ ok: true });
  },

  async "enqueue-batch"(n) {
    const count = Number(n);
    const utils = await client();
    let sent = 0;
    const seconds = await timed(Math.ceil(count / PER_CALL), 1, async () => {
      const size = Math.min(PER_CALL, count - sent);
      const jobs = Array.from({ length: size }, (_, i) => ({ identifier: TASK, payload: { i: sent + i } }));
      sent += size;
      await utils.addJobs(jobs);
    });
    report({ seconds, count });
    await utils.release();
  },

  async "enqueue-single"(n, inflight) {
    const utils = await client();
    const seconds = await timed(Number(n), Number(inflight), (i) => utils.addJob(TASK, { i }));
    report({ seconds, count: Number(n) });
    await utils.release();
  },

  async drain(n) {
    const starts = new Starts(Number(n));
    await work(starts);
    await starts.reportDrained(async () => {
      const { rows } = await pool.query("SELECT NOT EXISTS (SELECT FROM graphile_worker._private_jobs) AS empty");
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
    const utils = await client();
    await pickupClient(Number(n), Number(seed), (i) => utils.addJob(TASK, { i }));
    await utils.release();
  },
};

async function client() {
  const utils = await makeWorkerUtils({ pgPool: pool, logger: quiet });
  // Every pooled connection is opened before the clock starts.
  await Promise.all(Array.from({ length: 16 }, () => pool.query("SELECT pg_sleep(0.02)")));
  return utils;
}

function work(recorder) {
  return run({
    pgPool: pool,
    logger: quiet,
    noHandleSignals: true,
    taskList: { [TASK]: async ({ i }) => recorder.record(i) },
    preset: {
      worker: {
        concurrentJobs: CONCURRENCY,
        localQueue: { size: 1000 },
        completeJobBatchDelay: 0,
        failJobBatchDelay: 0,
      },
    },
  });
}

await commands[command](...rest);
process.exit(0);
