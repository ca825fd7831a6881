/** The contract of a trial: a question, how it is measured, what drover claims. One file each in trials/; trials.ts lists them. */
import type { Cell, Claim } from './claims.js';
import type { Rival, Running, StartOptions } from './rival.js';
import { summarize } from './statistics.js';

/** smoke: only that each runs. quick: all in some twenty minutes, with bounds too wide for most claims. full: what is published, all in little more than an hour. */
export type Mode = 'smoke' | 'quick' | 'full';

export interface Column {
  metric: string;
  label: string;
  digits: number;
}

export interface Chart {
  metric: string;
  title: string;
  /** bars: rivals beside each other, one group per condition. lines: conditions along the x axis. */
  shape: 'bars' | 'lines';
}

export interface Trial {
  name: string;
  title: string;
  /** One sentence: what the reader wants to know. */
  question: string;
  /** How it is measured, for the manual. */
  method: string;
  /** Names from rivals.ts; those that are absent are skipped with a word. */
  rivals: readonly string[];
  columns: readonly Column[];
  charts: readonly Chart[];
  claims: readonly Claim[];
  measure(context: Context): Promise<Cell[]>;
}

export interface Context {
  mode: Mode;
  /** Of the trial's rivals, those that are here and asked for. */
  rivals: readonly Rival[];
  /** Progress, for the terminal. */
  say(text: string): void;
  /** A rival failed and is left out: kept in the results, so that nobody takes it for not tried. */
  failed(rival: Rival, error: unknown): void;
}

export function pick<T>(mode: Mode, values: Record<Mode, T>): T {
  return values[mode];
}

/** Collects one number per round and turns them into cells. */
export class Samples {
  readonly #cells = new Map<string, { rival: string; condition: string; metrics: Map<string, number[]> }>();

  add(rival: string, condition: string, metrics: Record<string, number>): void {
    const key = `${rival}\0${condition}`;
    let cell = this.#cells.get(key);
    if (cell === undefined) this.#cells.set(key, (cell = { rival, condition, metrics: new Map() }));
    for (const [name, value] of Object.entries(metrics)) {
      const values = cell.metrics.get(name);
      if (values === undefined) cell.metrics.set(name, [value]);
      else values.push(value);
    }
  }

  cells(): Cell[] {
    return [...this.#cells.values()].map(({ rival, condition, metrics }) => ({
      rival,
      condition,
      metrics: Object.fromEntries([...metrics].map(([name, values]) => [name, summarize(values)])),
    }));
  }
}

/**
 * The order of a round: rivals in groups, where those that a claim compares are one, so that they run one after the other and their ratio has little of what the machine did meanwhile. Each round
 * begins with another group, so that none always follows the same neighbour, and every other goes through the groups backwards, so that none is always the first of its pair.
 */
export function turns<T extends { name: string }>(rivals: readonly T[], claims: readonly Claim[], round: number): T[][] {
  const groups: T[][] = [];
  for (const rival of rivals) {
    const tied = claims.flatMap(({ subject, rival: other }) => (subject === rival.name || other === rival.name ? [subject, other] : []));
    const group = groups.find((members) => members.some(({ name }) => tied.includes(name)));
    if (group === undefined) groups.push([rival]);
    else group.push(rival);
  }
  const first = groups.length === 0 ? 0 : round % groups.length;
  const order = [...groups.slice(first), ...groups.slice(0, first)];
  return round % 2 === 0 ? order : order.map((members) => members.reverse());
}

export interface Started {
  rival: Rival;
  server: Running;
}

export interface Rounds<Condition extends string> extends StartOptions {
  rounds: number;
  /** Of the trial: who is measured beside whom. */
  claims: readonly Claim[];
  conditions: readonly Condition[];
  /**
   * Servers are started anew, and warmed up, for every round. Two starts of one program differ by up to a tenth in CPU per request: where its memory lies, on which core its packets are handled.
   * Rounds with the same processes do not show it, and their bounds would be too narrow for a claim of some percent.
   */
  anew?: boolean;
}

/**
 * All rivals up at the same time, for rounds that go around them in turn (what the machine does meanwhile then hits all alike), within a group under one condition after the other. A
 * rival whose round throws is left out of the rest.
 */
export async function interleaved<Condition extends string>(
  context: Context,
  options: Rounds<Condition>,
  warmUp: (started: Started) => Promise<void>,
  round: (started: Started, index: number, condition: Condition) => Promise<void>,
): Promise<void> {
  const { rounds, claims, conditions, anew = false } = options;
  const up = new Map<Rival, Running>();
  const failed = new Set<Rival>();
  const fail = (rival: Rival, error: unknown): void => {
    failed.add(rival);
    context.failed(rival, error);
  };
  const start = async (): Promise<void> => {
    for (const rival of context.rivals.filter((one) => !failed.has(one))) {
      try {
        const server = await rival.start(options);
        up.set(rival, server);
        context.say(`${rival.name}: warming up`);
        await warmUp({ rival, server });
      } catch (error) {
        fail(rival, error);
      }
    }
  };
  const stop = async (): Promise<void> => {
    for (const [rival, server] of up) {
      up.delete(rival);
      await server.stop();
    }
  };
  try {
    for (let index = 0; index < rounds; index++) {
      if (index === 0 || anew) {
        await stop();
        await start();
      }
      context.say(`round ${index + 1} of ${rounds}`);
      for (const group of turns([...up.keys()], claims, index)) {
        for (const [condition, rival] of conditions.flatMap((one) => group.map((member) => [one, member] as const))) {
          if (failed.has(rival)) continue;
          try {
            await round({ rival, server: up.get(rival)! }, index, condition);
          } catch (error) {
            fail(rival, error);
          }
        }
      }
    }
  } finally {
    await stop();
  }
}

/** One rival at a time, alone on the machine: for many workers, and where something is killed. */
export async function oneByOne(
  context: Context,
  options: StartOptions,
  measure: (started: Started) => Promise<void>,
): Promise<void> {
  for (const rival of context.rivals) {
    let server: Running | undefined;
    try {
      context.say(`${rival.name}, ${options.workers} workers`);
      server = await rival.start(options);
      await measure({ rival, server });
    } catch (error) {
      context.failed(rival, error);
    } finally {
      await server?.stop();
    }
  }
}
