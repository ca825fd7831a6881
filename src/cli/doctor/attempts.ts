/**
 * What the doctor tries as serving would, up to where something would be changed: it is bad where serving would end with an error. In the process of the command.
 */
import { isIP } from 'node:net';
import { resolveBinds } from '../../accept/open-bind.js';
import { formatAddress } from '../../config/address.js';
import type { LoadedConfig } from '../../config/load.js';
import { DroverError } from '../../errors.js';
import { checkApp } from '../../master/check-app.js';
import type { Finding } from './checks.js';

export async function attempts(loaded: LoadedConfig): Promise<Finding[]> {
  return [...(await names(loaded)), ...(await app(loaded))];
}

/** Without --bind a script is served where it listens itself, and the names of HOST are the app's to try. */
async function names({ config: { bind }, bindGiven }: LoadedConfig): Promise<Finding[]> {
  const isNamed = bind.map((address) => address.kind === 'tcp' && isIP(address.host) === 0);
  if (!bindGiven || !isNamed.includes(true)) return [];
  const value = bind.filter((_, i) => isNamed[i]).map(formatAddress).join(' ');
  return [await attempt('--bind', value, async () => `listens at ${(await resolveBinds(bind)).filter((_, i) => isNamed[i]).map(formatAddress).join(', ')}`)];
}

/** Loads the app in a worker that does not listen, as --check-config does. */
async function app(loaded: LoadedConfig): Promise<Finding[]> {
  if (loaded.config.app === '') return [];
  return [await attempt('app', loaded.config.app, () => checkApp(loaded).then(() => 'loads'))];
}

/** `act`: answers what it means that all is well. */
async function attempt(name: string, value: string, act: () => Promise<string>): Promise<Finding> {
  try {
    return { name, value, status: 'ok', meaning: await act() };
  } catch (error) {
    if (!(error instanceof DroverError)) throw error;
    return { name, value, status: 'bad', meaning: error.message, ...(error.remedy === undefined ? {} : { fix: error.remedy }) };
  }
}
