/**
 * Environment variables that look like drover's and are none: DROVER_WORKERS=4 would do nothing, and nobody would be told. A warning, as an environment is shared with others.
 *
 * Rank 1. In the master.
 */
import { placeholderOf } from './command-line.js';
import { nearest } from './nearest.js';
import { kebab, options, type Env } from './options.js';

export interface UnknownVariable {
  variable: string;
  remedy: string;
}

/** The variables of options, and what src/native.ts and native/heartbeat.cc read. */
const KNOWN: readonly string[] = ['DROVER_CMD_ARGS', 'DROVER_ADDON', 'DROVER_FAULT_FCHMOD_MS', ...options.flatMap(({ env }) => (env?.startsWith('DROVER_') === true ? [env] : []))];
/** Those that are of use to users. */
const OFFERED = KNOWN.filter((name) => !/^DROVER_(?:ADDON|FAULT_)/.test(name));
/** What Kubernetes sets for a service whose name begins with `drover`. */
const SERVICE = /_SERVICE_(?:HOST|PORT)(?:_\w+)?$|_PORT_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?$/;

export function unknownVariables(env: Env): UnknownVariable[] {
  return Object.entries(env)
    .filter(([name, value]) => name.startsWith('DROVER_') && !KNOWN.includes(name) && !SERVICE.test(name) && !/^(?:tcp|udp|sctp):\/\//.test(value ?? ''))
    .map(([variable]) => ({ variable, remedy: remedyFor(variable) }));
}

function remedyFor(variable: string): string {
  const near = nearest(variable, OFFERED);
  if (near !== undefined) return `did you mean ${near}?`;
  const name = nearest(variable.slice('DROVER_'.length), options.map((option) => option.name));
  const option = options.find((row) => row.name === name);
  if (option === undefined) return 'DROVER_CMD_ARGS takes flags; the manual names the variables of options';
  if (option.env !== undefined) return `did you mean ${option.env}?`;
  const words = option.positional === undefined ? `--${kebab(option.name)} ${placeholderOf(option)}`.trimEnd() : placeholderOf(option);
  return `give DROVER_CMD_ARGS="${words}"`;
}
