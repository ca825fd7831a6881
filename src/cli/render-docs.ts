/**
 * Writes what comes from tables: the pages of docs/ on options, exit codes and events, and the types of the options. `--check` writes nothing and exits 1 when one is not
 * current. A tool of the project's own (`npm run docs`, CI), not of users.
 *
 * Rank 6.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { renderOptionInput, renderOptionsManual } from '../config/render.js';
import { ERRORS, EXIT_CODES, type ExitName } from '../errors.js';
import { EVENTS } from '../log/events.js';

const PAGES: Readonly<Record<string, () => string>> = {
  'docs/options.md': renderOptionsManual,
  'src/config/option-input.ts': renderOptionInput,
  'docs/exit-codes.md': renderExitCodes,
  'docs/events.md': renderEvents,
};

function renderExitCodes(): string {
  const lines = ['# Exit codes', '', '<!-- Generated from src/errors.ts by `npm run docs`. -->', '', '| code | name | meaning | error codes |', '| --- | --- | --- | --- |'];
  for (const [name, { code, meaning }] of Object.entries(EXIT_CODES)) {
    const errors = Object.entries(ERRORS).filter(([, exit]: [string, ExitName]) => exit === name);
    lines.push(`| ${code} | ${name} | ${cell(meaning)} | ${errors.map(([error]) => `\`${error}\``).join(' ')} |`);
  }
  lines.push('', 'A mistake of the user\'s is told in one or two lines on standard error, or, where the log goes there already and it is no terminal, in its record `master.failed`: what is wrong, its value and where that came from, and what to do. Below an exception of the app\'s own code stands its stack. A stack of drover\'s own code means a bug in drover.');
  return lines.join('\n') + '\n';
}

function renderEvents(): string {
  const lines = [
    '# Events',
    '',
    '<!-- Generated from src/log/events.ts by `npm run docs`. -->',
    '',
    'Every line of the log is one of these. In JSON, `event` is the name, `msg` the sentence, and each `{field}` of the sentence a field of its own. Names and fields are stable, sentences are not.',
    '',
    '| event | level | sentence | when, and further fields |',
    '| --- | --- | --- | --- |',
  ];
  for (const [name, { level, message, help }] of Object.entries(EVENTS)) lines.push(`| \`${name}\` | ${level} | ${cell(forMany(message))} | ${cell(help)} |`);
  return lines.join('\n') + '\n';
}

/** `{workers|worker|workers}` as `{workers} workers`. */
function forMany(message: string): string {
  return message.replace(/\{(\w+)\|[^|}]+\|([^|}]+)\}/g, '{$1} $2');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

const check = process.argv.includes('--check');
for (const [page, render] of Object.entries(PAGES)) {
  const path = fileURLToPath(new URL(`../../../${page}`, import.meta.url));
  const text = render();
  if (!check) {
    writeFileSync(path, text);
  } else if (read(path) !== text) {
    process.stderr.write(`${page} is not current: run \`npm run docs\`\n`);
    process.exitCode = 1;
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
