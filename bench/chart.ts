/**
 * Charts as SVG, drawn by hand: bars with their ranges, and lines. Readable on a light and a dark page (the style asks
 * prefers-color-scheme; the background is the page's). drover has the one strong colour, the floor a hollow bar. Pure.
 */
import type { Cell } from './claims.js';
import type { Chart } from './trial.js';

export interface Series {
  title: string;
  kind: string;
}

const STYLE = `<style>
  text { font: 12px system-ui, sans-serif; fill: #24292f; }
  .title { font-weight: 600; font-size: 14px; }
  .soft { fill: #656d76; }
  .axis { stroke: #d0d7de; stroke-width: 1; }
  .range { stroke: #24292f; stroke-width: 1.2; }
  .drover { fill: #0969da; stroke: #0969da; } .node { fill: #8c959f; stroke: #8c959f; } .other { fill: #c4a35a; stroke: #c4a35a; }
  .floor { fill: none; stroke: #656d76; stroke-width: 1.2; stroke-dasharray: 3 2; }
  .line { fill: none; stroke-width: 2; } .line.floor { stroke-dasharray: 5 4; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .soft { fill: #9198a1; } .axis { stroke: #3d444d; } .range { stroke: #e6edf3; }
    .drover { fill: #4493f8; stroke: #4493f8; } .node { fill: #6e7681; stroke: #6e7681; } .other { fill: #a88a45; stroke: #a88a45; } .floor { stroke: #9198a1; }
    .line { fill: none; }
  }
</style>`;

const WIDTH = 760;
const LABEL = 250;
const VALUE = 110;

export function draw(chart: Chart, cells: readonly Cell[], series: (rival: string) => Series): string | undefined {
  const shown = cells.filter((cell) => cell.metrics[chart.metric] !== undefined && Number.isFinite(cell.metrics[chart.metric]!.median));
  if (shown.length === 0) return undefined;
  return chart.shape === 'bars' ? bars(chart, shown, series) : lines(chart, shown, series);
}

function bars(chart: Chart, cells: readonly Cell[], series: (rival: string) => Series): string {
  const conditions = [...new Set(cells.map((cell) => cell.condition))];
  const most = Math.max(0, ...cells.map((cell) => cell.metrics[chart.metric]!.max));
  const least = Math.min(0, ...cells.map((cell) => cell.metrics[chart.metric]!.min));
  const scale = (value: number): number => LABEL + ((value - least) / (most - least || 1)) * (WIDTH - LABEL - VALUE);
  const parts: string[] = [];
  let y = 34;
  for (const condition of conditions) {
    if (condition !== '') {
      parts.push(`<text x="8" y="${y + 12}" class="soft">${escape(condition)}</text>`);
      y += 20;
    }
    for (const cell of cells.filter((one) => one.condition === condition)) {
      const { median, min, max } = cell.metrics[chart.metric]!;
      const { title, kind } = series(cell.rival);
      const [from, to] = [Math.min(scale(0), scale(median)), Math.max(scale(0), scale(median))];
      parts.push(
        `<text x="${LABEL - 8}" y="${y + 12}" text-anchor="end">${escape(title)}</text>`,
        `<rect x="${round(from)}" y="${y + 1}" width="${round(Math.max(to - from, 1))}" height="14" rx="2" class="${kind}"/>`,
        max > min ? `<path d="M${round(scale(min))} ${y + 8}H${round(scale(max))}M${round(scale(min))} ${y + 5}v6M${round(scale(max))} ${y + 5}v6" class="range"/>` : '',
        `<text x="${round(Math.max(to, scale(max)) + 6)}" y="${y + 12}" class="soft">${readable(median)}</text>`,
      );
      y += 20;
    }
    y += 8;
  }
  parts.push(`<path d="M${round(scale(0))} 30V${y - 4}" class="axis"/>`);
  return svg(chart.title, y, parts);
}

function lines(chart: Chart, cells: readonly Cell[], series: (rival: string) => Series): string {
  const conditions = [...new Set(cells.map((cell) => cell.condition))];
  const rivals = [...new Set(cells.map((cell) => cell.rival))];
  const [left, right, top, bottom] = [48, WIDTH - 220, 40, 320];
  const most = Math.max(...cells.map((cell) => cell.metrics[chart.metric]!.median));
  // Logarithmic: the herd grows with the workers, the rest lies near 2, and both must be seen.
  const low = Math.log2(Math.max(0.5, Math.min(...cells.map((cell) => cell.metrics[chart.metric]!.median)) * 0.8));
  const high = Math.log2(Math.max(most * 1.1, 2 ** (low + 1)));
  const x = (index: number): number => left + (index / Math.max(conditions.length - 1, 1)) * (right - left);
  const y = (value: number): number => bottom - ((Math.log2(Math.max(value, 2 ** low)) - low) / (high - low)) * (bottom - top);
  const parts: string[] = [];
  for (let power = Math.ceil(low); power <= high; power++) {
    parts.push(`<path d="M${left} ${round(y(2 ** power))}H${right}" class="axis"/>`, `<text x="${left - 6}" y="${round(y(2 ** power) + 4)}" text-anchor="end" class="soft">${2 ** power}</text>`);
  }
  for (const [i, condition] of conditions.entries()) parts.push(`<text x="${round(x(i))}" y="${bottom + 20}" text-anchor="middle" class="soft">${escape(condition)}</text>`);
  const labels: { y: number; text: string; kind: string }[] = [];
  for (const rival of rivals) {
    const points = conditions.flatMap((condition, i) => {
      const value = cells.find((cell) => cell.rival === rival && cell.condition === condition)?.metrics[chart.metric]?.median;
      return value === undefined ? [] : [{ x: x(i), y: y(value), value }];
    });
    const { title, kind } = series(rival);
    const end = points.at(-1)!;
    parts.push(`<path d="M${points.map((point) => `${round(point.x)} ${round(point.y)}`).join('L')}" class="line ${kind}"/>`);
    labels.push({ y: end.y, text: `${title} ${readable(end.value)}`, kind });
  }
  // Labels of neighbouring lines are moved apart.
  labels.sort((a, b) => a.y - b.y);
  for (let i = 1; i < labels.length; i++) labels[i]!.y = Math.max(labels[i]!.y, labels[i - 1]!.y + 15);
  for (const label of labels) parts.push(`<text x="${right + 8}" y="${round(label.y + 4)}">${escape(label.text)}</text>`);
  return svg(chart.title, Math.max(bottom + 34, (labels.at(-1)?.y ?? 0) + 16), parts);
}

function svg(title: string, height: number, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${Math.ceil(height)}" width="${WIDTH}" height="${Math.ceil(height)}" role="img" aria-label="${escape(title)}">`,
    STYLE,
    `<text x="8" y="20" class="title">${escape(title)}</text>`,
    ...parts.filter((part) => part !== ''),
    '</svg>',
    '',
  ].join('\n');
}

function readable(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
