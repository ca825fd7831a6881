/**
 * Public API: what a user's config file or program may import from 'drover'. Loads nothing of the server: a config file is read
 * in the workers too.
 *
 * Rank 6.
 */
import type { Hooks } from './config/hooks.js';
import type { OptionInput } from './config/options.js';

export { EXIT_CODES } from './errors.js';
export type { HookName, Hooks, ServerInfo, WorkerDeath, WorkerInfo } from './config/hooks.js';
export type { AcceptStrategyName, Config } from './config/options.js';
export type { ListenAddress } from './config/address.js';
export type { WorkerClass, WorkerContext } from './config/worker-class.js';

/** What a config file may export: options and hooks. docs/options.md explains each. */
export interface DroverConfig extends OptionInput, Hooks {}

/** Returns its argument: it is there for its types. */
export function defineConfig(config: DroverConfig): DroverConfig;
export function defineConfig(config: () => DroverConfig | Promise<DroverConfig>): () => DroverConfig | Promise<DroverConfig>;
export function defineConfig(config: DroverConfig | (() => DroverConfig | Promise<DroverConfig>)): DroverConfig | (() => DroverConfig | Promise<DroverConfig>) {
  return config;
}
