/**
 * Claims: what drover says of itself, as data, and the verdict of a run on each. A claim that is missed is printed and rendered
 * as `behind`, never left out. Pure.
 */
import type { Summary } from './statistics.js';

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
  /** Where the target comes from, and what it means: for the reader of the table. */
  because: string;
}

export type Verdict = 'PASS' | 'behind' | 'not measured';

export interface Judged extends Claim {
  /** The number judged: a ratio if `rival` is given. Null when a side is missing. */
  value: number | null;
  verdict: Verdict;
}

export function judge(claim: Claim, cells: readonly Cell[]): Judged {
  const condition = claim.condition ?? '';
  const own = find(cells, claim.subject, condition, claim.metric);
  const other = claim.rival === undefined ? undefined : find(cells, claim.rival, claim.rivalCondition ?? condition, claim.metric);
  if (own === undefined || (claim.rival !== undefined && other === undefined)) return { ...claim, value: null, verdict: 'not measured' };
  const value = other === undefined ? own : own / other;
  // NaN compares false with everything: a number that is none is behind, not passed.
  const holds = claim.op === '<=' ? value <= claim.target : value >= claim.target;
  return { ...claim, value, verdict: holds ? 'PASS' : 'behind' };
}

function find(cells: readonly Cell[], rival: string, condition: string, metric: string): number | undefined {
  return cells.find((cell) => cell.rival === rival && cell.condition === condition)?.metrics[metric]?.median;
}

/** The claim as a sentence for tables: `cpuUs of drover ≤ 0.40 × cluster-rr`. */
export function sentence(claim: Claim): string {
  const op = claim.op === '<=' ? '≤' : '≥';
  const where = claim.condition === undefined || claim.condition === '' ? '' : `, ${claim.condition}`;
  if (claim.rival === undefined) return `${claim.metric} of ${claim.subject}${where} ${op} ${claim.target}`;
  const against = claim.rivalCondition === undefined ? claim.rival : `${claim.rival} (${claim.rivalCondition})`;
  return `${claim.metric} of ${claim.subject}${where} ${op} ${claim.target} × ${against}`;
}
