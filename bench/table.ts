/** Tables of cells, as Markdown: for the terminal and for the manual alike. Pure. */
import { measured, sentence, WORDS, type Cell, type Judged } from './claims.js';
import type { Column } from './trial.js';

export function formatNumber(value: number, digits: number): string {
  if (!Number.isFinite(value)) return '–';
  return value.toFixed(digits);
}

/** One row per rival and condition; a median with its range where there were several rounds. */
export function cellTable(cells: readonly Cell[], columns: readonly Column[], title: (rival: string) => string): string {
  const conditions = cells.some((cell) => cell.condition !== '');
  const head = ['server', ...(conditions ? ['condition'] : []), ...columns.map((column) => column.label)];
  const rows = cells.map((cell) => [
    title(cell.rival),
    ...(conditions ? [cell.condition] : []),
    ...columns.map(({ metric, digits }) => {
      const summary = cell.metrics[metric];
      if (summary === undefined) return '';
      const middle = formatNumber(summary.median, digits);
      const [low, high] = [formatNumber(summary.min, digits), formatNumber(summary.max, digits)];
      return low === high ? middle : `${middle} (${low}…${high})`;
    }),
  ]);
  return markdown(head, rows, conditions ? 2 : 1);
}

export function claimTable(claims: readonly Judged[], title: (rival: string) => string): string {
  return markdown(
    ['claim', 'measured', 'verdict', 'why it is claimed'],
    claims.map((claim) => [
      sentence(claim, title),
      measured(claim, title),
      claim.verdict === 'behind' ? `**${WORDS.behind}**` : WORDS[claim.verdict],
      claim.because,
    ]),
    4,
  );
}

/** `left` columns are text, the rest numbers. Padded, so that it can be read in a terminal too. */
function markdown(head: readonly string[], rows: readonly (readonly string[])[], left: number): string {
  const widths = head.map((text, i) => Math.max(3, text.length, ...rows.map((row) => row[i]!.length)));
  const line = (row: readonly string[]): string => `| ${row.map((text, i) => (i < left ? text.padEnd(widths[i]!) : text.padStart(widths[i]!))).join(' | ')} |`;
  const rule = `| ${widths.map((width, i) => (i < left ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}
