import test from 'ava';
import { judge, leaning, measured, sentence, tally, whyLeftOut, type Cell, type Claim } from '../../bench/claims.js';
import { RIVALS } from '../../bench/rivals.js';
import { summarize } from '../../bench/statistics.js';
import { claimTable } from '../../bench/table.js';
import { TRIALS } from '../../bench/trials.js';

const cell = (rival: string, condition: string, ...cpu: number[]): Cell => ({ rival, condition, metrics: { cpu: summarize(cpu) } });
const cells = [cell('ours', '', 40), cell('theirs', '', 100), cell('ours', 'busy', 60), cell('broken', '', 1, NaN, 1)];
const claim: Claim = { metric: 'cpu', subject: 'ours', rival: 'theirs', op: '<=', target: 0.4, because: '' };
/** The number of `ours` alone. */
const alone: Claim = { metric: 'cpu', subject: 'ours', op: '<=', target: 0.4, because: '' };

test('a ratio holds up to its target and is behind above it', (t) => {
  t.like(judge(claim, cells), { value: 0.4, verdict: 'PASS' });
  t.like(judge({ ...claim, target: 0.39 }, cells), { value: 0.4, verdict: 'behind' });
  t.like(judge({ ...claim, op: '>=', target: 0.41 }, cells), { value: 0.4, verdict: 'behind' });
});

test('a number without a rival is judged as it is', (t) => {
  t.like(judge({ ...alone, target: 40 }, cells), { value: 40, low: 40, high: 40, rounds: 1, verdict: 'PASS' });
});

test('rounds are compared one by one: what slows both sides of a round does not count', (t) => {
  const noisy = [cell('ours', '', 60, 50, 600, 45, 60), cell('theirs', '', 100, 80, 1000, 75, 100)];
  t.like(judge({ ...claim, target: 0.63 }, noisy), { value: 0.6, low: 0.6, high: 0.625, verdict: 'PASS' });
  t.is(judge({ ...claim, target: 0.59 }, noisy).verdict, 'behind');
  t.like(judge(claim, [cell('ours', '', 10, 20, 30), cell('theirs', '', 20, 10, 40)]), { value: 0.75, low: 0.5, high: 2 }, 'not the ratio of the medians, which is 1');
});

test('holds or missed only if all between the bounds is, else undecided', (t) => {
  const rounds = [cell('ours', '', 38, 39, 40, 41, 42)];
  t.like(judge({ ...alone, target: 42 }, rounds), { value: 40, low: 38, high: 42, verdict: 'PASS' });
  t.is(judge({ ...alone, target: 41.9 }, rounds).verdict, 'undecided');
  t.is(judge({ ...alone, target: 38 }, rounds).verdict, 'undecided', 'the median misses it, but the least round does not');
  t.is(judge({ ...alone, target: 37.9 }, rounds).verdict, 'behind');
  t.is(judge({ ...alone, op: '>=', target: 38 }, rounds).verdict, 'PASS');
  t.is(judge({ ...alone, op: '>=', target: 40 }, rounds).verdict, 'undecided');
  t.is(judge({ ...alone, op: '>=', target: 42.1 }, rounds).verdict, 'behind');
});

test('with rounds enough, one that is far off does not decide', (t) => {
  const rounds = [cell('ours', '', 39, 39, 39, 40, 40, 40, 41, 400)];
  t.like(judge({ ...alone, target: 41 }, rounds), { low: 39, high: 41, verdict: 'PASS' });
});

test('none means none in any round, and never undecided', (t) => {
  const none: Claim = { ...alone, target: 0 };
  t.like(judge(none, [cell('ours', '', 0, 0, 0, 0, 0)]), { value: 0, verdict: 'PASS' });
  t.like(judge(none, [cell('ours', '', 0, 0, 0, 0, 0, 0, 0, 0, 3)]), { value: 3, low: 0, high: 3, verdict: 'behind' });
  t.is(judge(none, [cell('ours', '', 0, NaN)]).verdict, 'behind');
});

test('sides with different numbers of rounds: the medians, within all that two rounds could give', (t) => {
  const failed = [cell('ours', '', 40, 50, 60), cell('theirs', '', 100, 125)];
  t.like(judge({ ...claim, target: 0.6 }, failed), { value: 50 / 112.5, low: 0.32, high: 0.6, verdict: 'PASS' });
  t.is(judge({ ...claim, target: 0.59 }, failed).verdict, 'undecided');
  t.is(judge({ ...claim, target: 0.31 }, failed).verdict, 'behind');
});

test('nothing beside nothing is equal, something beside nothing is infinitely more', (t) => {
  const none = [cell('ours', '', 0, 0), cell('theirs', '', 0, 2), cell('lossy', '', 1, 1)];
  t.like(judge({ ...claim, target: 1 }, none), { value: 0.5, low: 0, high: 1, verdict: 'PASS' });
  t.like(judge({ ...claim, subject: 'lossy', target: 1 }, none), { high: Infinity, verdict: 'undecided' });
});

test('conditions are kept apart, and two conditions of one rival can be compared', (t) => {
  t.like(judge({ ...claim, rival: 'ours', condition: 'busy', rivalCondition: '', op: '<=', target: 1.5 }, cells), { value: 1.5, verdict: 'PASS' });
  t.like(judge({ ...claim, condition: 'busy' }, cells), { value: null, low: null, high: null, verdict: 'not measured' }, 'theirs was not measured when busy');
});

test('what was not measured is neither passed nor behind; what is no number is behind, be it in one round', (t) => {
  t.is(judge({ ...claim, rival: 'nobody' }, cells).verdict, 'not measured');
  t.is(judge({ ...claim, metric: 'memory' }, cells).verdict, 'not measured');
  for (const op of ['<=', '>='] as const) {
    t.like(judge({ ...alone, subject: 'broken', op, target: 1 }, cells), { value: NaN, verdict: 'behind' });
    t.is(judge({ ...claim, subject: 'broken', op, target: 1 }, cells).verdict, 'behind', 'rounds that do not pair');
    t.is(judge({ ...claim, rival: 'theirs', op, target: 1 }, [cell('ours', '', 1, 1), cell('theirs', '', 1, -1)]).verdict, 'behind', 'a rival below nothing is no measure');
    t.is(judge({ ...claim, rival: 'theirs', op, target: 1 }, [cell('ours', '', -1), cell('theirs', '', 0)]).verdict, 'behind', 'below nothing, beside nothing');
  }
});

test('who failed in mid-run holds nothing by the rounds before', (t) => {
  const absent = { ours: 'failed: no request was answered' };
  const rounds = [cell('ours', '', 0, 0)];
  t.like(judge({ ...alone, target: 1 }, rounds, absent), { failed: true, verdict: 'undecided' });
  t.is(judge({ ...alone, target: -1 }, rounds, absent).verdict, 'behind');
  const none = judge({ ...alone, target: 0 }, rounds, absent);
  t.is(none.verdict, 'behind');
  t.is(measured(none), '0 in every round, then it failed');
  t.is(judge(claim, cells, { theirs: 'failed' }).verdict, 'PASS', 'a rival that failed is its own affair');
});

test('an undecided claim tells which side its median is on', (t) => {
  const rounds = [cell('ours', '', 38, 39, 40, 41, 42)];
  t.is(leaning(judge({ ...alone, target: 41 }, rounds)), 'the median holds');
  t.is(leaning(judge({ ...alone, target: 39 }, rounds)), 'the median misses');
  t.is(leaning(judge({ ...alone, op: '>=', target: 41 }, rounds)), 'the median misses');
});

test('a claim reads as a sentence', (t) => {
  t.is(sentence({ ...claim, condition: 'busy' }), 'cpu of ours, busy ≤ 0.4 × theirs');
  t.is(sentence({ ...alone, target: 0 }), 'cpu of ours ≤ 0');
  t.is(sentence({ ...claim, rivalCondition: 'idle' }, (name) => name.toUpperCase()), 'cpu of OURS ≤ 0.4 × THEIRS (idle)');
});

test('what was measured reads with its bounds', (t) => {
  const rounds = [cell('ours', '', 38, 39, 40, 41, 42.123), cell('theirs', '', 100, 100, 100, 100, 100)];
  t.is(measured(judge(claim, rounds)), '0.4 × (0.38 to 0.421)');
  t.is(measured(judge({ ...alone, target: 42.1 }, rounds)), '40 (38 to 42.12)', 'a bound just beyond the target does not read as the target');
  t.is(measured(judge(alone, cells)), '40 (one round)');
  const best = [...cells, cell('bare', '', 38)];
  t.is(measured(judge({ ...claim, atBest: 'bare' }, best), (rival) => `${rival} node`), '0.4 × (one round); bare node: 0.38 ×');
  t.is(measured(judge({ ...alone, atBest: 'bare' }, best)), '40 (one round); bare: 38');
  t.is(measured(judge({ ...claim, atBest: 'none' }, best)), '0.4 × (one round)', 'which was not measured');
  t.is(measured(judge({ ...alone, target: 0 }, [cell('ours', '', 0, 0)])), '0 in every round');
  t.is(measured(judge({ ...alone, target: 0 }, [cell('ours', '', 0, 2)])), 'up to 2 in a round');
  t.is(measured(judge({ ...claim, rival: 'nobody' }, cells)), '–');
});

test('verdicts are counted and named in words', (t) => {
  const judged = [judge(claim, cells), judge({ ...claim, target: 0.39 }, cells), judge({ ...claim, rival: 'nobody' }, cells)];
  t.is(tally(judged), 'Of 3 claims 1 holds, 1 is missed, 0 are undecided, 1 is left out.');
  const verdicts = claimTable(judged, String).split('\n').slice(2).map((line) => line.split('|')[3]!.trim());
  t.deepEqual(verdicts, ['holds', '**missed**', 'left out']);
});

test('what was left out says why', (t) => {
  t.is(whyLeftOut(claim, cells, {}, String), undefined);
  t.is(whyLeftOut({ ...claim, rival: 'nobody' }, cells, { nobody: 'no such program' }, String), 'nobody: no such program');
  t.is(whyLeftOut({ ...claim, rival: 'nobody' }, cells, {}, String), 'nobody was not part of that run');
  t.is(whyLeftOut({ ...claim, condition: 'busy' }, cells, {}, String), 'cpu of theirs was not measured in that run');
});

for (const trial of TRIALS) {
  test(`${trial.name}: its rivals exist, and its claims are about rivals it runs`, (t) => {
    const known = new Set(RIVALS.map((rival) => rival.name));
    for (const name of trial.rivals) t.true(known.has(name), name);
    t.is(new Set(trial.rivals).size, trial.rivals.length, 'no rival twice');
    for (const { subject, rival } of trial.claims) {
      t.true(trial.rivals.includes(subject), subject);
      if (rival !== undefined) t.true(trial.rivals.includes(rival), rival);
    }
  });
}

test('names of trials and rivals are unique', (t) => {
  t.is(new Set(TRIALS.map((trial) => trial.name)).size, TRIALS.length);
  t.is(new Set(RIVALS.map((rival) => rival.name)).size, RIVALS.length);
});
