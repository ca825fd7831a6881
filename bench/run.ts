/**
 * The bench. `npm run bench` runs everything; what it finds goes to bench/results/ and docs/benchmarks.md.
 *
 *   (nothing)          what is published, in little more than an hour
 *   --quick            all trials in some twenty minutes      --smoke    only that each runs, few rivals; keeps nothing
 *   --trial A,B        only these trials                   --only A,B only these rivals (`drover` is all of drover’s); keeps nothing
 *   --list             what there is                       --strict   exit code 1 when a claim is missed
 *
 * Environment: DROVER_BENCH_NODE24 (a Node 24 program), DROVER_BENCH_OFFLINE=1 (install no rivals), CC.
 */
import { parseArgs } from 'node:util';
import { judge, tally, whyLeftOut, type Judged } from './claims.js';
import { compile } from './compile.js';
import { ROOT } from './paths.js';
import { render } from './render.js';
import { machine, resultPath, save, type TrialResult } from './results.js';
import { stopAll } from './rival.js';
import { RIVALS } from './rivals.js';
import { cellTable, claimTable } from './table.js';
import type { Mode, Trial } from './trial.js';
import { TRIALS } from './trials.js';

const USAGE = `usage: npm run bench -- [--quick|--smoke] [--trial NAME,…] [--only RIVAL,…] [--list] [--strict]`;
const values = parse();
if (values.help) {
  console.log(USAGE);
  process.exit(0);
}

const mode: Mode = values.smoke ? 'smoke' : values.quick ? 'quick' : 'full';
const names = (text: string | undefined): string[] | undefined => text?.split(',').map((name) => name.trim());
// A smoke run is for CI: only what any machine has, and nothing is installed for it.
const only = names(values.only) ?? (mode === 'smoke' ? ['drover', 'static-drover', 'node', 'cluster-rr', 'floor'] : undefined);
if (mode === 'smoke') process.env['DROVER_BENCH_OFFLINE'] ??= '1';
const wanted = names(values.trial);
const keep = mode !== 'smoke' && only === undefined;

for (const name of wanted ?? []) {
  if (!TRIALS.some((trial) => trial.name === name)) fail(`no trial is called ${name}; there are ${TRIALS.map((trial) => trial.name).join(', ')}`);
}
for (const name of only ?? []) {
  if (!RIVALS.some((rival) => matches(rival.name, [name]))) fail(`no rival is called ${name}; there are ${RIVALS.map((rival) => rival.name).join(', ')}`);
}

if (values.list) {
  for (const trial of TRIALS) console.log(`${trial.name.padEnd(24)} ${trial.question}`);
  console.log();
  for (const rival of RIVALS) console.log(`${rival.name.padEnd(24)} ${rival.title}`);
  process.exit(0);
}

for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]] as const) process.once(signal, () => void stopAll().finally(() => process.exit(code)));

compile('load');
const availability = new Map<string, true | string>();
const titles = new Map(RIVALS.map((rival) => [rival.name, rival.title]));
const title = (name: string): string => titles.get(name) ?? name;

const judged: Judged[] = [];
let broken = 0;
for (const trial of TRIALS) {
  if (wanted !== undefined && !wanted.includes(trial.name)) continue;
  const result = await run(trial);
  const claims = trial.claims.map((claim) => judge(claim, result.cells, result.absent));
  console.log(`\n## ${trial.title} (${Math.round(result.seconds)} s)\n\n${cellTable(result.cells, trial.columns, title)}\n`);
  if (mode !== 'smoke' && claims.length > 0) console.log(`${claimTable(claims, title)}\n`);
  for (const [name, why] of Object.entries(result.absent)) console.log(`absent: ${name}: ${why}`);
  if (mode !== 'smoke') for (const why of new Set(claims.flatMap((claim) => whyLeftOut(claim, result.cells, result.absent, title) ?? []))) console.log(`left out: ${why}`);
  judged.push(...claims);
  if (keep) save(resultPath(new Date(result.date), result.machine), result);
}
if (keep) console.log(`\nkept in bench/results/, rendered to ${render()}`);
if (mode !== 'smoke') console.log(tally(judged));
if (mode === 'smoke' && broken > 0) process.exitCode = 1;
if (values.strict && judged.some((claim) => claim.verdict === 'behind')) process.exitCode = 1;

async function run(trial: Trial): Promise<TrialResult> {
  const absent: Record<string, string> = {};
  const rivals = trial.rivals.flatMap((name) => {
    const rival = RIVALS.find((one) => one.name === name);
    if (rival === undefined) throw new Error(`trial ${trial.name} names a rival that is none: ${name}`);
    if (only !== undefined && !matches(name, only)) return [];
    const here = availability.get(name) ?? rival.available();
    availability.set(name, here);
    if (here === true) return [rival];
    absent[name] = here;
    return [];
  });
  console.log(`\n# ${trial.name}: ${trial.question}`);
  const host = machine();
  const date = new Date().toISOString();
  const began = performance.now();
  const cells = await trial.measure({
    mode,
    rivals,
    say: (text) => console.log(`  ${text}`),
    failed(rival, error) {
      broken++;
      const text = error instanceof Error ? error.message : String(error);
      console.log(`  ${rival.name} failed: ${text}`);
      // Kept with the results: without the machine's paths.
      absent[rival.name] = `failed: ${text.split('\n', 1)[0]!.replaceAll(ROOT, '')}`;
    },
  });
  const order = (name: string): number => trial.rivals.indexOf(name);
  const conditions = [...new Set(cells.map((cell) => cell.condition))];
  cells.sort((a, b) => conditions.indexOf(a.condition) - conditions.indexOf(b.condition) || order(a.rival) - order(b.rival));
  return {
    name: trial.name,
    mode,
    date,
    seconds: (performance.now() - began) / 1000,
    machine: host,
    rivals: Object.fromEntries(rivals.map((rival) => [rival.name, { title: rival.title, kind: rival.kind, version: rival.version() }])),
    absent,
    cells,
  };
}

function matches(name: string, wished: readonly string[]): boolean {
  return wished.some((wish) => name === wish || name.startsWith(`${wish}-`));
}

function parse() {
  const bool = { type: 'boolean', default: false } as const;
  const text = { type: 'string' } as const;
  try {
    return parseArgs({ options: { quick: bool, smoke: bool, trial: text, only: text, list: bool, strict: bool, help: bool } }).values;
  } catch (error) {
    return fail(`${(error as Error).message}\n${USAGE}`);
  }
}

function fail(message: string): never {
  console.error(`bench: ${message}`);
  process.exit(2);
}
