import test from 'ava';
import { judge, sentence, type Cell, type Claim } from '../../bench/claims.js';
import { summarize } from '../../bench/statistics.js';
import { RIVALS } from '../../bench/rivals.js';
import { TRIALS } from '../../bench/trials.js';

const cell = (rival: string, condition: string, cpu: number): Cell => ({ rival, condition, metrics: { cpu: summarize([cpu]) } });
const cells = [cell('ours', '', 40), cell('theirs', '', 100), cell('ours', 'busy', 60), cell('broken', '', NaN)];
const claim: Claim = { metric: 'cpu', subject: 'ours', rival: 'theirs', op: '<=', target: 0.4, because: '' };

test('a ratio holds up to its target and is behind above it', (t) => {
  t.like(judge(claim, cells), { value: 0.4, verdict: 'PASS' });
  t.like(judge({ ...claim, target: 0.39 }, cells), { value: 0.4, verdict: 'behind' });
  t.like(judge({ ...claim, op: '>=', target: 0.41 }, cells), { value: 0.4, verdict: 'behind' });
});

test('a number without a rival is judged as it is', (t) => {
  t.like(judge({ metric: 'cpu', subject: 'ours', op: '<=', target: 40, because: '' }, cells), { value: 40, verdict: 'PASS' });
});

test('conditions are kept apart, and two conditions of one rival can be compared', (t) => {
  t.like(judge({ ...claim, rival: 'ours', condition: 'busy', rivalCondition: '', op: '<=', target: 1.5 }, cells), { value: 1.5, verdict: 'PASS' });
  t.like(judge({ ...claim, condition: 'busy' }, cells), { value: null, verdict: 'not measured' }, 'theirs was not measured when busy');
});

test('what was not measured is neither passed nor behind; what is no number is behind', (t) => {
  t.is(judge({ ...claim, rival: 'nobody' }, cells).verdict, 'not measured');
  t.is(judge({ ...claim, metric: 'memory' }, cells).verdict, 'not measured');
  t.is(judge({ ...claim, subject: 'broken' }, cells).verdict, 'behind');
});

test('a claim reads as a sentence', (t) => {
  t.is(sentence({ ...claim, condition: 'busy' }), 'cpu of ours, busy ≤ 0.4 × theirs');
  t.is(sentence({ metric: 'lost', subject: 'ours', op: '<=', target: 0, because: '' }), 'lost of ours ≤ 0');
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
