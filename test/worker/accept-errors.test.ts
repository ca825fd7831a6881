import test from 'ava';
import { AcceptErrors } from '../../src/worker/accept-errors.js';

const EMFILE = -24;

class Trial {
  readonly told: [event: string, fields: Record<string, unknown>][] = [];
  now = 0;
  connections = 41;
  accepts = true;
  givenBack = 0;
  #timer: { at: number; run: () => void } | undefined;
  readonly errors = new AcceptErrors({
    log: (event, fields) => this.told.push([event, fields]),
    limit: () => 64,
    connections: () => this.connections,
    accepts: () => this.accepts,
    giveBack: () => this.givenBack++,
    now: () => this.now,
    after: (ms, run) => (this.#timer = { at: this.now + ms, run }),
  });

  get events(): string[] {
    return this.told.map(([event]) => event);
  }

  pass(ms: number): void {
    const end = this.now + ms;
    while (this.#timer !== undefined && this.#timer.at <= end) {
      const { at, run } = this.#timer;
      this.#timer = undefined;
      this.now = at;
      run();
    }
    this.now = end;
  }

  /** Fails ten times a second. */
  fail(ms: number): void {
    for (let passed = 0; passed < ms; passed += 100) {
      this.errors.failed(EMFILE, 'EMFILE');
      this.pass(100);
    }
  }
}

test('once in ten seconds while it lasts, and once when it is over', (t) => {
  const trial = new Trial();
  trial.fail(12_000);
  t.deepEqual(trial.events, ['worker.accept-error', 'worker.accept-error']);
  trial.pass(60_000);
  t.deepEqual(trial.events.slice(2), ['worker.accept-recovered']);
  t.deepEqual(trial.told[2]![1], { outMs: 11_900 });
  trial.fail(100);
  trial.pass(1_000);
  t.deepEqual(trial.events.slice(3), ['worker.accept-error', 'worker.accept-recovered'], 'and the next time again');
});

test('a pause of less than a second is no end', (t) => {
  const trial = new Trial();
  trial.fail(500);
  trial.pass(800);
  trial.fail(500);
  trial.pass(5_000);
  t.deepEqual(trial.events, ['worker.accept-error', 'worker.accept-recovered']);
  t.deepEqual(trial.told[1]![1], { outMs: 1_700 });
});

test('the end of what was not told is not told', (t) => {
  const trial = new Trial();
  trial.fail(100);
  trial.pass(2_000);
  trial.fail(100);
  trial.pass(2_000);
  t.deepEqual(trial.events, ['worker.accept-error', 'worker.accept-recovered']);
});

test('a worker that accepts from no socket any more does not accept again', (t) => {
  const trial = new Trial();
  trial.fail(100);
  trial.accepts = false;
  trial.pass(5_000);
  t.deepEqual(trial.events, ['worker.accept-error']);
});

test('each error has its own remedy', (t) => {
  const explain = (errno: number, error: string): Record<string, unknown> => {
    const trial = new Trial();
    trial.errors.failed(errno, error);
    return trial.told[0]![1];
  };
  const emfile = explain(EMFILE, 'EMFILE');
  t.like(emfile, { errno: EMFILE, limit: 64, connections: 41 });
  t.regex(String(emfile['why']), /\b64 open files .* 41 connections open/);
  t.regex(String(emfile['remedy']), /ulimit -Hn.*LimitNOFILE=.*--worker-connections/);
  const leak = new Trial();
  leak.connections = 1;
  leak.errors.failed(EMFILE, 'EMFILE');
  t.regex(String(leak.told[0]![1]['remedy']), new RegExp(`^the app has opened most of the others, see ls -l /proc/${process.pid}/fd`));
  t.regex(String(explain(-23, 'ENFILE')['remedy']), /fs\.file-max/);
  for (const error of ['ENOBUFS', 'ENOMEM']) t.regex(String(explain(-12, error)['remedy']), /net\.ipv4\.tcp_mem/);
  t.regex(String(explain(-22, 'EINVAL')['remedy']), /HUP/);
});

test('each time that no descriptor can be had, told or not, those that are only kept are given back', (t) => {
  const trial = new Trial();
  trial.fail(500);
  trial.errors.failed(-23, 'ENFILE');
  t.is(trial.givenBack, 6);
  for (const [errno, error] of [[-12, 'ENOMEM'], [-22, 'EINVAL']] as const) trial.errors.failed(errno, error);
  t.is(trial.givenBack, 6);
});

test('a broken listener is nothing that ends, and neither is what is not tried again', (t) => {
  const broken = new Trial();
  broken.errors.failed(-22, 'EINVAL');
  broken.pass(60_000);
  t.deepEqual(broken.events, ['worker.accept-error']);
  const told = new Trial();
  told.errors.tell(EMFILE, 'EMFILE');
  told.pass(60_000);
  t.deepEqual(told.events, ['worker.accept-error']);
});
