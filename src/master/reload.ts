/**
 * Rolling replacement: which slot gets a successor now. Policy: what there is in, slots out.
 *
 * One rule serves reloads and recycling alike: the successor boots beside its predecessor, and when it is ready the
 * predecessor drains. At most `parallel` workers boot for that at a time, which bounds the peak of memory. The master calls this after
 * every event; there is no other state than the workers themselves.
 */
import { counted } from '../config/plural.js';

export interface Place {
  slot: number;
  generation: number;
  state: 'starting' | 'ready' | 'draining';
  /** It asked to be replaced. */
  recycle: boolean;
}

export interface Rolling {
  places: readonly Place[];
  /** Slots 0 … target-1 are to be served. */
  target: number;
  /** Workers older than this are to be replaced. */
  generation: number;
  parallel: number;
  /** Slots that may not be tried yet: a successor died a moment ago. */
  delayed: ReadonlySet<number>;
}

/** Slots to spawn a successor in, now. */
export function successors({ places, target, generation, parallel, delayed }: Rolling): number[] {
  const slots: number[] = [];
  let room = parallel - places.filter((place) => place.state === 'starting').length;
  for (let slot = 0; slot < target && room > 0; slot += 1) {
    if (delayed.has(slot) || places.some((place) => place.slot === slot && place.state === 'starting')) continue;
    const serving = places.filter((place) => place.slot === slot && place.state === 'ready');
    if (serving.some((place) => place.generation >= generation && !place.recycle)) continue;
    slots.push(slot);
    room -= 1;
  }
  return slots;
}

/** Whether every slot is served by a ready worker of that generation. */
export function isFinished(places: readonly Place[], target: number, generation: number): boolean {
  for (let slot = 0; slot < target; slot += 1) {
    if (!places.some((place) => place.slot === slot && place.state === 'ready' && place.generation >= generation)) return false;
  }
  return true;
}

/** The worker count after a reload: a count changed by TTIN or TTOU is kept, unless --workers itself has changed. */
export function targetAfter(current: number, oldWorkers: number, newWorkers: number): number {
  return oldWorkers === newWorkers ? current : newWorkers;
}

/** Who serves after a reload that has failed: so many of the old workers, so many new ones. These may be fewer than have been `replaced`, as one has died, or more, as a slot had no worker. */
export function whoServes(replaced: number, old: number, fresh: number): string {
  if (fresh < replaced) {
    const serve = [...(fresh > 0 ? [counted(fresh, 'new one')] : []), ...(old > 0 ? [counted(old, 'old one')] : [])];
    return `${counted(replaced, 'old worker was', 'old workers were')} replaced, ${serve.join(' and ') || 'nobody'} ${fresh + old > 1 ? 'serve' : 'serves'}`;
  }
  if (fresh === 0) return old === 0 ? 'and no old worker is left to serve' : 'the old workers serve on';
  const done = `${counted(fresh, 'worker')} already ${fresh === 1 ? 'has' : 'have'} the new code`;
  return old === 0 ? done : `${done}, ${counted(old, 'old one')} ${old === 1 ? 'serves' : 'serve'} on`;
}
