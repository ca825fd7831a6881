/**
 * The time of a line, in the two forms the log has. In the worker.
 *
 * A text is made once per second and used for all lines of that second. The wall clock is read only then: between, the monotonic clock goes on
 * from it, so a wall clock that is set shows within a second.
 */
export class LogClock {
  readonly #wallNow: () => number;
  /** Wall clock minus monotonic clock. */
  #offsetMs = 0;
  #second = -1;
  #common = '';
  #isoSecond = '';

  constructor(wallNow: () => number = Date.now) {
    this.#wallNow = wallNow;
  }

  /** `[24/Nov/2026:10:00:35 +0000]`, in local time. */
  common(monotonicMs: number): string {
    this.#look(monotonicMs);
    return this.#common;
  }

  /** `2026-11-24T10:00:35.123Z`. */
  iso(monotonicMs: number): string {
    const ms = Math.floor(this.#look(monotonicMs)) % 1000;
    return `${this.#isoSecond}${ms < 10 ? '00' : ms < 100 ? '0' : ''}${ms}Z`;
  }

  #look(monotonicMs: number): number {
    const wallMs = monotonicMs + this.#offsetMs;
    if (Math.floor(wallMs / 1000) === this.#second) return wallMs;
    return this.#read(monotonicMs);
  }

  #read(monotonicMs: number): number {
    const wallMs = this.#wallNow();
    this.#offsetMs = wallMs - monotonicMs;
    this.#second = Math.floor(wallMs / 1000);
    const date = new Date(wallMs);
    this.#common = formatCommon(date);
    this.#isoSecond = date.toISOString().slice(0, -4);
    return wallMs;
  }
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function formatCommon(date: Date): string {
  const east = -date.getTimezoneOffset();
  const zone = `${east < 0 ? '-' : '+'}${two(Math.floor(Math.abs(east) / 60))}${two(Math.abs(east) % 60)}`;
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  return `[${two(date.getDate())}/${MONTHS[date.getMonth()]}/${date.getFullYear()}:${time} ${zone}]`;
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}
