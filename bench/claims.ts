/**
 * Claims: what drover says of itself, as data, and the verdict of a run on each. A claim that is missed is printed and rendered, and so is one that the rounds leave
 * undecided or that was left out; none is dropped. Pure.
 */
import { median, medianBounds, type Summary } from './statistics.js';

/** What was measured of one rival under one condition of a trial ('' when the trial has a single condition). */
export interface Cell {
  rival: string;
  condition: string;
  metrics: Record<string, Summary>;
}

export interface Claim {
  metric: string;
  /** Rival whose number is judged. */
  subject: string;
  /** Judged as a ratio to this rival's (or condition's) number; without it, the number itself is judged. */
  rival?: string;
  condition?: string;
  /** Condition of the rival's number, when it differs from the subject's. */
  rivalCondition?: string;
  op: '<=' | '>=';
  target: number;
  /** Rival that shows what the subject could reach at best; told beside what it did reach. */
  atBest?: string;
  /** Where the target comes from, and what it means: for the reader of the table. */
  because: string;
}

export type Verdict = 'PASS' | 'behind' | 'undecided' | 'not measured';

/** The verdicts as the reader sees them. */
export const WORDS: Readonly<Record<Verdict, string>> = { PASS: 'holds', behind: 'missed', undecided: 'undecided', 'not measured': 'left out' };

export interface Judged extends Claim {
  /** The number judged: a ratio if `rival` is given. Null when a side is missing. */
  value: number | null;
  /** Bounds of the value: the rounds allow no less and no more. Null when a side is missing. */
  low: number | null;
  high: number | null;
  rounds: number;
  /** The same number of `atBest`; null without, or where a side is missing. */
  best: number | null;
  /** The subject failed in this run, so its rounds are those before: they prove no claim. */
  failed: boolean;
  verdict: Verdict;
}

interface Estimate {
  value: number;
  low: number;
  high: number;
}

/**
 * Round by round: the two sides of a round ran close to each other, so what else the machine did hit both, and their ratio has less noise than either. A claim holds, or is missed, when the bounds of
 * the median ratio say so; with the target between them it is undecided. `absent`: rivals that were not there or failed, with the reason.
 */
export function judge(claim: Claim, cells: readonly Cell[], absent: Readonly<Record<string, string>> = {}): Judged {
  const [own, other] = sides(claim).map(({ rival, condition }) => find(cells, rival, condition, claim.metric));
  const failed = absent[claim.subject] !== undefined;
  const { atBest, ...bare } = claim;
  const best = atBest === undefined ? null : judge({ ...bare, subject: atBest }, cells, absent).value;
  if (own === undefined || (claim.rival !== undefined && other === undefined)) return { ...claim, value: null, low: null, high: null, best, rounds: 0, failed, verdict: 'not measured' };
  const rounds = own.samples.length;
  if (meansNone(claim)) {
    const worst = Math.max(...own.samples);
    return { ...claim, value: worst, low: Math.min(...own.samples), high: worst, best, rounds, failed, verdict: own.samples.every((count) => count === 0) && !failed ? 'PASS' : 'behind' };
  }
  const estimate = other === undefined ? ofRounds(own.samples) : compare(own, other);
  const verdict = verdictOf(claim, estimate);
  return { ...claim, ...estimate, best, rounds, failed, verdict: failed && verdict === 'PASS' ? 'undecided' : verdict };
}

/** Why a claim could not be judged; undefined when it could. `absent`: rivals that were not there or failed, with the reason. */
export function whyLeftOut(claim: Claim, cells: readonly Cell[], absent: Readonly<Record<string, string>>, title: (rival: string) => string): string | undefined {
  for (const { rival, condition } of sides(claim)) {
    if (find(cells, rival, condition, claim.metric) !== undefined) continue;
    if (absent[rival] !== undefined) return `${title(rival)}: ${absent[rival]}`;
    const ran = cells.some((cell) => cell.rival === rival);
    return ran ? `${claim.metric} of ${title(rival)} was not measured in that run` : `${title(rival)} was not part of that run`;
  }
  return undefined;
}

/** The claim as a sentence for tables: `cpuUs of drover ≤ 0.40 × cluster-rr`. */
export function sentence(claim: Claim, title: (rival: string) => string = String): string {
  const op = claim.op === '<=' ? '≤' : '≥';
  const where = claim.condition === undefined || claim.condition === '' ? '' : `, ${claim.condition}`;
  const start = `${claim.metric} of ${title(claim.subject)}${where} ${op} ${claim.target}`;
  if (claim.rival === undefined) return start;
  const against = claim.rivalCondition === undefined ? title(claim.rival) : `${title(claim.rival)} (${claim.rivalCondition})`;
  return `${start} × ${against}`;
}

/** What was measured, with its bounds: `0.48 × (0.45 to 0.53)`, and what could be at best: `; node, one process: 0.46 ×`. */
export function measured(judged: Judged, title: (rival: string) => string = String): string {
  const { value, low, high, best, rounds, failed, target } = judged;
  if (value === null || low === null || high === null) return '–';
  const number = (one: number): string => brief(one, target);
  const end = failed ? ', then it failed' : best === null ? '' : `; ${title(judged.atBest!)}: ${number(best)}${judged.rival === undefined ? '' : ' ×'}`;
  if (meansNone(judged)) return `${high === 0 ? '0 in every round' : `up to ${number(high)} in a round`}${end}`;
  const unit = judged.rival === undefined ? '' : ' ×';
  return `${number(value)}${unit} (${rounds === 1 ? 'one round' : `${number(low)} to ${number(high)}`})${end}`;
}

/** Which side of the target an undecided claim is likelier on: without it, a list of the undecided would hide what is probably missed. */
export function leaning({ value, op, target }: Judged): string {
  return value !== null && (op === '<=' ? value <= target : value >= target) ? 'the median holds' : 'the median misses';
}

/** `Of 9 claims 4 hold, 3 are missed, 1 is undecided, 1 is left out.` */
export function tally(claims: readonly Judged[]): string {
  const count = (verdict: Verdict): number => claims.filter((claim) => claim.verdict === verdict).length;
  const are = (verdict: Verdict): string => `${count(verdict)} ${count(verdict) === 1 ? 'is' : 'are'} ${WORDS[verdict]}`;
  return `Of ${claims.length} claims ${count('PASS')} ${count('PASS') === 1 ? 'holds' : 'hold'}, ${are('behind')}, ${are('undecided')}, ${are('not measured')}.`;
}

function sides(claim: Claim): { rival: string; condition: string }[] {
  const condition = claim.condition ?? '';
  const own = { rival: claim.subject, condition };
  return claim.rival === undefined ? [own] : [own, { rival: claim.rival, condition: claim.rivalCondition ?? condition }];
}

function find(cells: readonly Cell[], rival: string, condition: string, metric: string): Summary | undefined {
  return cells.find((cell) => cell.rival === rival && cell.condition === condition)?.metrics[metric];
}

/** "No request is lost" is about every round: a median would forgive the lesser half of them. */
function meansNone(claim: Claim): boolean {
  return claim.rival === undefined && claim.op === '<=' && claim.target === 0;
}

function compare(own: Summary, other: Summary): Estimate {
  if (own.samples.length === other.samples.length) return ofRounds(own.samples.map((sample, round) => ratio(sample, other.samples[round]!)));
  // A side failed in mid-run, and nobody knows which rounds belong together: the medians, with all that any two rounds could have given.
  return { value: ratio(own.median, other.median), low: ratio(own.min, other.max), high: ratio(own.max, other.min) };
}

/** Nothing beside nothing is equal. A negative number of a rival is noise, and nothing to compare with; nor is less than nothing a share of nothing. */
function ratio(own: number, other: number): number {
  if (own === 0 && other === 0) return 1;
  return other < 0 || (other === 0 && own < 0) ? NaN : own / other;
}

function ofRounds(values: readonly number[]): Estimate {
  // Sorted away among others, a round that gave no number would not be seen.
  if (values.some((value) => Number.isNaN(value))) return { value: NaN, low: NaN, high: NaN };
  return { value: median(values), ...medianBounds(values) };
}

function verdictOf({ op, target }: Claim, { low, high }: Estimate): Verdict {
  if (Number.isNaN(low) || Number.isNaN(high)) return 'behind';
  const [holds, missed] = op === '<=' ? [high <= target, low > target] : [low >= target, high < target];
  if (missed) return 'behind';
  return holds ? 'PASS' : 'undecided';
}

/** Three digits; more where three would read as the target and it is not. */
function brief(value: number, target: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'no number' : '∞';
  for (let digits = 3; digits < 5; digits++) {
    const text = Number(value.toPrecision(digits));
    if (text !== target || value === target) return String(text);
  }
  return String(Number(value.toPrecision(5)));
}
