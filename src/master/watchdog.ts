/**
 * Who is stuck, and whether it is the worker or the disk. Policy: numbers in, decision out; one object per worker.
 *
 * What counts are *changes*, on the master's monotonic clock: a step of the wall clock kills nobody. The board (shared memory) tells
 * whether the loop turns; the heartbeat file only adds a witness. A loop that turns while its file stands still has a disk to blame.
 *
 * Time during which the master itself did not look (stopped by a signal, starved, the machine suspended) is not held against a worker:
 * between two looks at most two periods count.
 */
export interface Sight {
  now: number;
  /** Turns of the worker's loop, from the board. */
  turns: number;
  /** Change time of the heartbeat file as last read; undefined when there is none. */
  beat: string | undefined;
}

export type Verdict =
  | { is: 'ok' }
  | { is: 'stuck'; stuckMs: number }
  | { is: 'disk-stalled'; stalledMs: number }
  | { is: 'disk-recovered' };

const MAX_PERIOD_MS = 5000;

/**
 * How often the master looks, and a worker's thread touches its file (worker/start.ts has the same formula). An idle worker's loop turns less often. Without --timeout nobody is
 * stuck, and there is still what else is looked at: queues, full workers, memory cgroups.
 */
export function periodMs(timeoutMs: number): number {
  return timeoutMs === 0 ? MAX_PERIOD_MS : Math.min(Math.max(timeoutMs / 4, 250), MAX_PERIOD_MS);
}

const OK: Verdict = { is: 'ok' };

export class Watchdog {
  readonly #timeoutMs: number;
  readonly #periodMs: number;
  #lookedAt: number;
  #turns: number | undefined;
  #beat: string | undefined;
  #stillMs = 0;
  #fileStillMs = 0;
  #diskStalled = false;

  /** Born when the worker is ready: until then --boot-timeout watches over it. */
  constructor(timeoutMs: number, now: number) {
    this.#timeoutMs = timeoutMs;
    this.#periodMs = periodMs(timeoutMs);
    this.#lookedAt = now;
  }

  look({ now, turns, beat }: Sight): Verdict {
    const passed = Math.min(now - this.#lookedAt, 2 * this.#periodMs);
    this.#lookedAt = now;
    const turned = turns !== this.#turns;
    this.#turns = turns;
    const sinceTurnMs = this.#stillMs + passed;
    this.#stillMs = turned ? 0 : sinceTurnMs;
    const beaten = beat !== this.#beat;
    this.#beat = beat;
    // A loop that stands still makes no beats: that is not the file's fault, and the file's clock stands still with the loop. An idle loop turns at
    // every second look only, and that is no standing still.
    if (beaten || beat === undefined) this.#fileStillMs = 0;
    else if (turned) this.#fileStillMs += Math.min(sinceTurnMs, 2 * this.#periodMs);

    if (this.#stillMs >= this.#timeoutMs) return { is: 'stuck', stuckMs: Math.round(this.#stillMs) };
    if (this.#diskStalled && beaten) {
      this.#diskStalled = false;
      return { is: 'disk-recovered' };
    }
    if (!this.#diskStalled && this.#fileStillMs >= this.stallMs) {
      this.#diskStalled = true;
      return { is: 'disk-stalled', stalledMs: Math.round(this.#fileStillMs) };
    }
    return OK;
  }

  /** How long a file may stand still beside a turning loop: three beats. */
  get stallMs(): number {
    return Math.max(3 * this.#periodMs, 2000);
  }
}
