// Enqueues a job over HTTP, and waits for what came of it.
//
// The `Idempotency-Key` makes it safe to send again whatever became of the first try: the same key and the same request
// get the same answer, and there is one job.

import { randomUUID } from "node:crypto";

interface Problem {
  code: string;
  detail: string;
}

interface Enqueued {
  id: string;
  duplicate: boolean;
}

interface Job {
  id: string;
  state: "scheduled" | "available" | "running" | "retryable" | "waiting" | "completed" | "cancelled" | "discarded";
}

const url = process.env.COMPLINE_URL;
const token = process.env.COMPLINE_TOKEN;

async function call<T>(path: string, init: RequestInit = {}): Promise<T> {
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json", ...init.headers };
  const answer = await fetch(`${url}${path}`, { ...init, headers, signal: AbortSignal.timeout(40_000) });
  if (!answer.ok) {
    // Every error is a problem document (RFC 9457) that says what to do.
    const problem = (await answer.json()) as Problem;
    throw new Error(`${problem.code}: ${problem.detail}`);
  }
  return (await answer.json()) as T;
}

const order = process.env.ORDER ?? randomUUID();
const job = { kind: "system.sleep", args: { ms: 10 }, tags: ["example"], metadata: { order } };
// Derived from what the job is about, so that it is the same after a crash of this program too.
const enqueue = { method: "POST", body: JSON.stringify(job), headers: { "Idempotency-Key": `order-${order}` } };

const enqueued = await call<Enqueued>("/v1/jobs", enqueue);
const again = await call<Enqueued>("/v1/jobs", enqueue);
if (again.id !== enqueued.id) throw new Error("the same key and request get the same answer");

let ended: Job;
do {
  ended = await call<Job>(`/v1/jobs/${enqueued.id}/wait?timeout=30s`);
} while (!["completed", "cancelled", "discarded"].includes(ended.state));
console.log(enqueued.id, ended.state);
