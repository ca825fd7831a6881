/** Renders docs/benchmarks.md and docs/benchmarks/*.svg from bench/results/. Also run by itself: `node dist/bench/render.js`. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { draw } from './chart.js';
import { judge, leaning, measured, sentence, tally, whyLeftOut, WORDS, type Judged, type Verdict } from './claims.js';
import { DOCS } from './paths.js';
import { newest, type Machine, type TrialResult } from './results.js';
import { RIVALS } from './rivals.js';
import { cellTable, claimTable } from './table.js';
import type { Mode, Trial } from './trial.js';
import { TRIALS } from './trials.js';

const JUDGING =
  'Round by round. A claim that compares two servers is judged on their ratio in each round, which has less noise than either number: where all servers are up at once the two are measured right after each other; where each is ' +
  'measured alone, rounds are paired by their number. The value is the median of these ratios (without a rival: of the rounds themselves), in brackets the bounds of the true median by the sign test, with at least 90 % confidence from five ' +
  'rounds on; with fewer they are just the least and the greatest, and one round has none.\n\n' +
  '- **holds**: all between the bounds meets the target.\n' +
  '- **missed**: nothing between the bounds meets it, or what came out was no number.\n' +
  '- **undecided**: the target lies between the bounds; more rounds, or a quieter machine, would tell.\n' +
  '- **left out**: a side was not measured.\n\n' +
  'A target of 0 means none in any round. Where a server failed in mid-run, the medians are compared, and the bounds are the worst and the best that any two rounds could give; no claim about it holds by the rounds before.';

interface Shown {
  trial: Trial;
  result: TrialResult;
  claims: Judged[];
  /** Name of the file of raw results. */
  file: string;
}

/** Path of the page. */
export function render(): string {
  const results = newest();
  const shown = TRIALS.flatMap((trial): Shown[] => {
    const found = results.get(trial.name);
    return found === undefined ? [] : [{ trial, ...found, claims: trial.claims.map((claim) => judge(claim, found.result.cells, found.result.absent)) }];
  });
  const charts = `${DOCS}benchmarks/`;
  mkdirSync(charts, { recursive: true });
  for (const file of readdirSync(charts)) if (file.endsWith('.svg')) rmSync(`${charts}${file}`);

  const parts = [
    '# Benchmarks',
    'Rendered by `bench/render.ts` from the raw results in [bench/results/](../bench/results); do not edit. `npm run bench` makes new ones, in little more than an hour (`-- --quick` in some twenty minutes, to try a change; `-- --list` shows what there is, `-- --trial NAME` runs one).',
    'Every trial runs drover and its rivals in the same run with the same answer; all Node rivals run the same program ([bench/apps/server.cjs](../bench/apps/server.cjs)). ' +
      'Numbers are medians of the rounds, ranges in brackets. The load comes from this machine too, so compare the rows of a table with each other, not with other pages.',
    verdicts(shown),
    '## How claims are judged',
    JUDGING,
    modes(shown),
  ];
  for (const { trial, result, claims, file } of shown) {
    parts.push(`## ${trial.title}`, trial.question);
    for (const chart of trial.charts) {
      const image = draw(chart, result.cells, (rival) => result.rivals[rival] ?? { title: titleOf(rival), kind: 'other' });
      if (image === undefined) continue;
      const name = `${result.name}-${chart.metric}.svg`;
      writeFileSync(`${charts}${name}`, image);
      parts.push(`![${chart.title}](benchmarks/${name})`);
    }
    parts.push(cellTable(result.cells, trial.columns, titleOf));
    if (claims.length > 0) parts.push(claimTable(claims, titleOf));
    parts.push(trial.method);
    const absent = Object.entries(result.absent);
    if (absent.length > 0) parts.push(`Not in this run: ${absent.map(([name, why]) => `${titleOf(name)} (${why})`).join('; ')}.`);
    parts.push(`<sub>${result.date.slice(0, 16).replace('T', ' ')} UTC, ${result.mode} run of ${Math.round(result.seconds)} s, load average before it ${result.machine.loadBefore}; raw: [${file}](../bench/results/${file})</sub>`);
  }
  parts.push('## Machine and versions', machines(shown.map(({ result }) => result)), versions(shown.map(({ result }) => result)));
  const path = `${DOCS}benchmarks.md`;
  writeFileSync(path, `${parts.filter((part) => part !== '').join('\n\n')}\n`);
  return 'docs/benchmarks.md';
}

function titleOf(name: string): string {
  return RIVALS.find((rival) => rival.name === name)?.title ?? name;
}

/** The count, and every claim that does not hold: what is missed first, and claims of trials that have no results at all too. */
function verdicts(shown: readonly Shown[]): string {
  const unrun = TRIALS.filter((trial) => !shown.some((one) => one.trial === trial)).map((trial) => ({ trial, claims: trial.claims.map((claim) => judge(claim, [])), result: undefined }));
  const all = [...shown, ...unrun];
  const parts = [tally(all.flatMap(({ claims }) => claims))];
  const list = (verdict: Verdict, tell: (claim: Judged, result: TrialResult | undefined) => string): void => {
    const lines = all.flatMap(({ trial, claims, result }) =>
      claims
        .filter((claim) => claim.verdict === verdict)
        .map((claim) => `- ${result === undefined ? trial.title : `[${trial.title}](#${anchor(trial.title)})`}: ${sentence(claim, titleOf)}; ${tell(claim, result)}`),
    );
    if (lines.length > 0) parts.push(`**${WORDS[verdict][0]!.toUpperCase()}${WORDS[verdict].slice(1)}**:`, lines.join('\n'));
  };
  list('behind', (claim) => `measured ${measured(claim, titleOf)}`);
  list('undecided', (claim) => `measured ${measured(claim, titleOf)}: ${leaning(claim)}`);
  list('not measured', (claim, result) => (result === undefined ? 'the trial was not run' : whyLeftOut(claim, result.cells, result.absent, titleOf)!));
  return parts.join('\n\n');
}

/** Quick runs have shorter loads and fewer rounds, so wider bounds: the reader is told. */
function modes(shown: readonly Shown[]): string {
  const names = (mode: Mode): string[] => shown.filter(({ result }) => result.mode === mode).map(({ trial }) => trial.title);
  const quick = names('quick');
  if (quick.length === 0) return '';
  const which = quick.length === shown.length ? 'All results here are' : `The results of ${quick.map((title) => `“${title}”`).join(', ')} are`;
  return `${which} of \`--quick\` runs: shorter loads and fewer rounds than a full run, so wider bounds.`;
}

/** As GitHub makes them of headings. */
function anchor(title: string): string {
  return title.toLowerCase().replaceAll(/[^\w\- ]/g, '').replaceAll(' ', '-');
}

function machines(results: readonly TrialResult[]): string {
  const text = (machine: Machine): string => `${machine.cpus} × ${machine.cpu}, ${machine.memoryGb} GB, Linux ${machine.kernel.split('-', 1)[0]!} ${machine.arch}, bench under Node ${machine.node}`;
  return [...new Set(results.map((result) => text(result.machine)))].map((line) => `- ${line}`).join('\n');
}

function versions(results: readonly TrialResult[]): string {
  const found = new Map(results.flatMap((result) => Object.values(result.rivals).map((rival) => [rival.title, rival.version] as const)));
  return [...found].filter(([, version]) => version !== '').map(([title, version]) => `- ${title}: ${version}`).join('\n');
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) console.log(render());
