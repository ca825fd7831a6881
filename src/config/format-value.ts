/**
 * Values of options as a person reads them: for help, the manual, messages and --print-config. Pure; the way back is parse-value.ts's.
 *
 * Rank 1. In the master.
 */
import { formatAddress, type ListenAddress } from './address.js';
import type { Option, StaticMount } from './options.js';

export const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
export const UNITS_BYTES: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** A value of `Config` as a person reads it. */
export function formatValue(option: Option, value: unknown): string {
  if (value === null || value === '' || (Array.isArray(value) && value.length === 0)) return '(none)';
  switch (option.type) {
    case 'bytes':
      return formatBytes(value as number);
    case 'fieldNames':
      return (value as string[]).join(',');
    case 'fieldValues':
      return Object.entries(value as Record<string, string>).map(([name, text]) => `${name}=${text}`).join(' ') || '(none)';
    case 'duration':
      for (const [word, ms] of Object.entries(option.words ?? {})) if (value === ms) return word;
      return value === 0 && option.zero !== undefined ? `0 (${option.zero})` : formatDuration(value as number);
    case 'mode':
      return value === 0 ? '0' : `0${(value as number).toString(8)}`;
    case 'addresses':
      return (value as ListenAddress[]).map(formatAddress).join(' ');
    case 'addressSet':
      return (value as string[]).join(',');
    case 'args':
      return (value as string[]).map((word) => (/^[\w./:=@,+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(' ');
    case 'choices':
      return (value as string[]).join(',');
    case 'envMap': {
      const entries = Object.entries(value as Record<string, string>);
      return entries.length === 0 ? '(none)' : entries.map(([name, text]) => `${name}=${option.secret === true ? '***' : text}`).join(' ');
    }
    case 'mounts':
      return (value as readonly StaticMount[]).map(({ prefix, directory }) => `${prefix}=${directory}`).join(' ');
    default:
      return option.secret === true ? '***' : String(value);
  }
}

export function boundsOfInteger({ min, max }: { min: number; max: number }): string {
  return max >= Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
}

export function boundsOfDuration({ minMs, maxMs }: { minMs: number; maxMs: number }): string {
  return `from ${formatDuration(minMs)} to ${formatDuration(maxMs)}`;
}

/** In the largest unit that needs no fraction. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0';
  const [unit, size] = Object.entries(UNITS_MS).findLast(([, unitMs]) => ms % unitMs === 0) ?? ['ms', 1];
  return `${ms / size}${unit}`;
}

/** In the largest unit that needs no fraction. */
export function formatBytes(bytes: number): string {
  if (bytes === 0) return '0';
  const [unit, size] = Object.entries(UNITS_BYTES).findLast(([, unitBytes]) => bytes % unitBytes === 0) ?? ['', 1];
  return `${bytes / size}${unit}`;
}
