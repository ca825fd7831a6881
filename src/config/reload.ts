/** What a reload finds changed in the configuration, and what of that it can apply. Rank 1. In the master. */
import { isDeepStrictEqual } from 'node:util';
import { freeze, type LoadedConfig } from './load.js';
import { configKey, options, type Config, type Option, type OptionName, type Reload } from './options.js';
import type { ValueSource } from './resolve-value.js';

/** An option whose value a reload finds changed. */
export interface ChangedOption {
  name: OptionName;
  reload: Reload;
}

/** The options that the user has changed. A default that follows another option (`name` the app) is none of them. */
export function changedOptions(before: LoadedConfig, after: LoadedConfig): ChangedOption[] {
  const isDefault = (loaded: LoadedConfig, option: Option): boolean => loaded.sources[option.name as OptionName].source === 'default';
  return options
    .filter((option) => option.commandLineOnly !== true && !(isDefault(before, option) && isDefault(after, option)))
    .filter((option) => !isDeepStrictEqual(before.config[configKey(option) as keyof Config], after.config[configKey(option) as keyof Config]))
    .map((option) => ({ name: option.name as OptionName, reload: option.reload }));
}

/** `after` as it can come into force in a running drover: what only a restart can apply keeps its value of `before`. */
export function reloadable(before: LoadedConfig, after: LoadedConfig): LoadedConfig {
  const config: Record<string, unknown> = { ...after.config };
  const sources: Record<string, ValueSource> = { ...after.sources };
  for (const option of options) {
    if (option.commandLineOnly === true || option.reload !== 'restart') continue;
    config[configKey(option)] = before.config[configKey(option) as keyof Config];
    sources[option.name] = before.sources[option.name as OptionName];
  }
  return freeze({ ...after, config: config as Config, sources: sources as Record<OptionName, ValueSource>, bindGiven: before.bindGiven });
}
