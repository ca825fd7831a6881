/**
 * What the doctor tries as serving would, up to where something would be changed: it is bad where serving would end with an error. In the process of the command.
 */
import { isIP } from 'node:net';
import { resolveBinds } from '../../accept/open-bind.js';
import { formatAddress } from '../../config/address.js';
import type { LoadedConfig } from '../../config/load.js';
import { DroverError } from '../../errors.js';
import { checkApp } from '../../master/check-app.js';
import { Pidfile } from '../../master/pidfile.js';
import type { Finding } from './checks.js';

export async function attempts(loaded: LoadedConfig): Promise<Finding[]> {
  return [...(await names(loaded)), ...(await pidfile(loaded)), ...(await app(loaded))];
}

/** Without --bind a script is served where it listens itself, and the names of HOST are the app's to try. */
async function names({ config: { bind }, bindGiven }: LoadedConfig): Promise<Finding[]> {
  const isNamed = bind.map((address) => address.kind === 'tcp' && isIP(address.host) === 0);
  if (!bindGiven || !isNamed.includes(true)) return [];
  const value = bind.filter((_, i) => isNamed[i]).map(formatAddress).join(' ');
  return [await attempt('--bind', value, async () => ok(`listens at ${(await resolveBinds(bind)).filter((_, i) => isNamed[i]).map(formatAddress).join(', ')}`))];
}

/** That a drover has it is bad for a second one alone, and the doctor may be asked beside the one that serves. */
async function pidfile({ config: { pidfile: path }, sources }: LoadedConfig): Promise<Finding[]> {
  if (path === null) return [];
  const file = new Pidfile(path, sources.pidfile.where);
  const look = (): Outcome => {
    file.check();
    const taken = file.taken();
    if (taken === undefined) return ok('can be written');
    if (!taken.byMaster) throw taken.error;
    return { status: 'warn', ...told(taken.error) };
  };
  return [await attempt('--pidfile', path, look)];
}

/** Loads the app in a worker that does not listen, as --check-config does. */
async function app(loaded: LoadedConfig): Promise<Finding[]> {
  if (loaded.config.app === '') return [];
  return [await attempt('app', loaded.config.app, () => checkApp(loaded).then(() => ok('loads')))];
}

type Outcome = Omit<Finding, 'name' | 'value'>;

async function attempt(name: string, value: string, act: () => Outcome | Promise<Outcome>): Promise<Finding> {
  try {
    return { name, value, ...(await act()) };
  } catch (error) {
    if (!(error instanceof DroverError)) throw error;
    return { name, value, status: 'bad', ...told(error) };
  }
}

function ok(meaning: string): Outcome {
  return { status: 'ok', meaning };
}

function told({ message, remedy }: DroverError): Pick<Finding, 'meaning' | 'fix'> {
  return { meaning: message, ...(remedy === undefined ? {} : { fix: remedy }) };
}
