/**
 * When a slot whose worker died gets its next one. Policy: numbers in, decision out.
 *
 * A worker that dies young is started again after a pause that doubles from 100 ms to 10 s, so that a crash loop costs the machine
 * next to nothing and still heals by itself. A worker that served for a healthy minute is replaced at once and clears the slate.
 */
export const FIRST_DELAY_MS = 100;
export const LONGEST_DELAY_MS = 10_000;
export const HEALTHY_MS = 60_000;

export class Respawn {
  #deaths = 0;
  #notBefore = 0;

  /** A worker of the slot died unasked; it had been ready for `readyMs` (0: it never was). Answers the pause in ms. */
  died(now: number, readyMs: number): number {
    if (readyMs >= HEALTHY_MS) this.#deaths = 0;
    const delayMs = readyMs >= HEALTHY_MS ? 0 : Math.min(FIRST_DELAY_MS * 2 ** this.#deaths, LONGEST_DELAY_MS);
    if (readyMs < HEALTHY_MS) this.#deaths += 1;
    this.#notBefore = now + delayMs;
    return delayMs;
  }

  /** Whether this is a crash loop: more than one death since the last healthy minute. */
  get looping(): boolean {
    return this.#deaths > 1;
  }

  /** Time before which no worker is spawned. */
  get notBefore(): number {
    return this.#notBefore;
  }

  /** A person asked (HUP, TTIN): try at once, with a clean slate. */
  forgive(): void {
    this.#deaths = 0;
    this.#notBefore = 0;
  }
}
