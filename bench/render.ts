/** Renders docs/benchmarks.md and docs/benchmarks/*.svg from bench/results/. Also run by itself: `node dist/bench/render.js`. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { draw } from './chart.js';
import { judge, sentence, type Judged } from './claims.js';
import { DOCS } from './paths.js';
import { newest, type Machine, type TrialResult } from './results.js';
import { cellTable, claimTable } from './table.js';
import type { Trial } from './trial.js';
import { TRIALS } from './trials.js';

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
    return found === undefined ? [] : [{ trial, ...found, claims: trial.claims.map((claim) => judge(claim, found.result.cells)) }];
  });
  const charts = `${DOCS}benchmarks/`;
  mkdirSync(charts, { recursive: true });
  for (const file of readdirSync(charts)) if (file.endsWith('.svg')) rmSync(`${charts}${file}`);

  const parts = [
    '# Benchmarks',
    'Rendered by `bench/render.ts` from the raw results in [bench/results/](../bench/results); do not edit. `npm run bench` makes new ones (`-- --quick` in some minutes, `-- --list` shows what there is, `-- --trial NAME` runs one).',
    'Every trial runs drover and its rivals in the same run with the same answer; all Node rivals run the same program ([bench/apps/server.cjs](../bench/apps/server.cjs)). A claim that is missed says **behind**. ' +
      'Numbers are medians of the rounds, ranges in brackets. The load comes from this machine too, so compare the rows of a table with each other, not with other pages.',
    verdicts(shown),
  ];
  for (const { trial, result, claims, file } of shown) {
    parts.push(`## ${trial.title}`, trial.question);
    for (const chart of trial.charts) {
      const image = draw(chart, result.cells, (rival) => result.rivals[rival] ?? { title: rival, kind: 'other' });
      if (image === undefined) continue;
      const name = `${result.name}-${chart.metric}.svg`;
      writeFileSync(`${charts}${name}`, image);
      parts.push(`![${chart.title}](benchmarks/${name})`);
    }
    const title = titleOf(result);
    parts.push(cellTable(result.cells, trial.columns, title));
    if (claims.length > 0) parts.push(claimTable(claims, title));
    parts.push(trial.method);
    const absent = Object.entries(result.absent);
    if (absent.length > 0) parts.push(`Not in this run: ${absent.map(([name, why]) => `${name} (${why})`).join('; ')}.`);
    parts.push(`<sub>${result.date.slice(0, 16).replace('T', ' ')} UTC, ${result.mode} run of ${Math.round(result.seconds)} s, load average before it ${result.machine.loadBefore}; raw: [${file}](../bench/results/${file})</sub>`);
  }
  parts.push('## Machine and versions', machines(shown.map(({ result }) => result)), versions(shown.map(({ result }) => result)));
  const path = `${DOCS}benchmarks.md`;
  writeFileSync(path, `${parts.filter((part) => part !== '').join('\n\n')}\n`);
  return 'docs/benchmarks.md';
}

function titleOf(result: TrialResult): (rival: string) => string {
  return (rival) => result.rivals[rival]?.title ?? rival;
}

function verdicts(shown: readonly Shown[]): string {
  const all = shown.flatMap(({ claims }) => claims);
  const count = (verdict: Judged['verdict']): number => all.filter((claim) => claim.verdict === verdict).length;
  const line = `Of ${all.length} claims ${count('PASS')} hold, ${count('behind')} are missed, ${count('not measured')} could not be measured.`;
  const missed = shown.flatMap(({ trial, result, claims }) => {
    const title = titleOf(result);
    return claims
      .filter((claim) => claim.verdict === 'behind')
      .map((claim) => {
        const text = sentence({ ...claim, subject: title(claim.subject), ...(claim.rival === undefined ? {} : { rival: title(claim.rival) }) });
        return `- [${trial.title}](#${anchor(trial.title)}): ${text}; measured ${claim.value === null ? 'nothing' : Number(claim.value.toPrecision(3))}`;
      });
  });
  return missed.length === 0 ? line : `${line} Missed:\n\n${missed.join('\n')}`;
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
