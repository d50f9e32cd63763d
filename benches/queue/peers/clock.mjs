// What every Node peer of the benchmark needs: the monotonic clock, the seeded gaps, the report line.

/** CLOCK_MONOTONIC in nanoseconds, the clock all peers share. */
export const now = () => Number(process.hrtime.bigint());

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export const report = (numbers) => process.stdout.write(`${JSON.stringify(numbers)}\n`);

/** The pauses between pick-up jobs, in milliseconds: 20 to 60, the same for every peer of one seed. */
export function* gaps(seed) {
  let state = seed >>> 0;
  for (;;) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield 20 + ((state >>> 16) % 41);
  }
}

/** Runs `count` calls with `inflight` of them outstanding, and returns the seconds they took. */
export async function timed(count, inflight, call) {
  let next = 0;
  const begin = now();
  await Promise.all(
    Array.from({ length: inflight }, async () => {
      while (next < count) await call(next++);
    }),
  );
  return (now() - begin) / 1e9;
}

/** Counts handler starts by job number, so that a lost or doubled job shows. */
export class Starts {
  constructor(expected) {
    this.expected = expected;
    this.seen = new Set();
    this.handled = 0;
    this.first = 0;
    this.all = new Promise((resolve) => {
      this.resolve = resolve;
    });
  }

  record(index) {
    if (this.handled === 0) this.first = now();
    this.handled += 1;
    this.seen.add(index);
    if (this.seen.size === this.expected) this.resolve();
  }

  /** Waits for every start, then for the store to say that nothing is left, and reports both. */
  async reportDrained(nothingLeft) {
    await this.all;
    while (!(await nothingLeft())) await sleep(2);
    report({
      first_start_ns: this.first,
      finished_ns: now(),
      handled: this.handled,
      distinct: this.seen.size,
    });
  }
}

/** Keeps the start stamp of every pick-up job and reports them once all have come. */
export class Stamps {
  constructor(expected) {
    this.expected = expected;
    this.stamps = {};
    this.count = 0;
    this.all = new Promise((resolve) => {
      this.resolve = resolve;
    });
  }

  record(index) {
    const stamp = now();
    this.stamps[index] ??= stamp;
    this.count += 1;
    if (this.count === this.expected) this.resolve();
  }

  async report() {
    await this.all;
    report({ started_ns: this.stamps });
  }
}

/** Enqueues `count` jobs one by one, `gaps` apart, and reports when each call began. */
export async function pickupClient(count, seed, enqueue) {
  const pause = gaps(seed);
  const stamps = {};
  for (let i = 0; i < count; i += 1) {
    await sleep(pause.next().value);
    stamps[i] = now();
    await enqueue(i);
  }
  report({ enqueued_ns: stamps });
}
