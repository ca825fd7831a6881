/**
 * `drover doctor [OPTIONS] [APP]`: whether this machine suits the configuration that drover would serve with. In the process of the command.
 */
import type { LoadedConfig } from '../../config/load.js';
import { EXIT_CODES } from '../../errors.js';
import { attempts } from './attempts.js';
import { CHECKS, worst, type Finding } from './checks.js';
import { look } from './sight.js';

export interface Report {
  text: string;
  exitCode: number;
}

/** `columns`: of the terminal; undefined: not a terminal, nothing is wrapped or coloured. */
export async function examine(loaded: LoadedConfig, json: boolean, columns: number | undefined): Promise<Report> {
  const sight = look();
  const findings = [...CHECKS.flatMap((check) => check(sight, loaded.config, loaded.bindGiven)), ...(await attempts(loaded))];
  const status = worst(findings);
  return {
    text: json ? `${JSON.stringify({ status, findings }, undefined, 2)}\n` : renderTable(findings, columns),
    exitCode: status === 'bad' ? EXIT_CODES.unfit.code : EXIT_CODES.ok.code,
  };
}

const COLOURS = { ok: '\x1b[32m', warn: '\x1b[33m', bad: '\x1b[31m' } as const;
const PLAIN = '\x1b[0m';

/** One line per finding, and one more with the remedy. */
export function renderTable(findings: readonly Finding[], columns: number | undefined): string {
  const nameWidth = Math.max(...findings.map(({ name }) => name.length));
  const valueWidth = Math.min(Math.max(...findings.map(({ value }) => value.length)), 40);
  const indent = ' '.repeat(6 + nameWidth + 2);
  const width = columns === undefined ? Infinity : Math.max(columns - indent.length, 30);
  const lines: string[] = [];
  for (const { name, value, status, meaning, fix } of findings) {
    const mark = columns === undefined ? status.padEnd(6) : `${COLOURS[status]}${status.padEnd(6)}${PLAIN}`;
    const head = `${mark}${name.padEnd(nameWidth)}  `;
    // On a terminal too narrow for one line, what it means goes below.
    const one = `${value.padEnd(valueWidth)}  ${meaning}`;
    if (one.length <= width) lines.push(head + one);
    else lines.push(head + value, ...wrap(meaning, width).map((line) => indent + line));
    if (fix !== undefined) lines.push(...wrap(`→ ${fix}`, width).map((line) => indent + line));
  }
  const count = (status: Finding['status']): number => findings.filter((finding) => finding.status === status).length;
  lines.push('', `${count('bad')} bad, ${count('warn')} to look at, ${count('ok')} ok`);
  return `${lines.join('\n')}\n`;
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
