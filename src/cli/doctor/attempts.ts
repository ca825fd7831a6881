/**
 * What the doctor tries as serving would, up to where something would be changed: it is bad where serving would end with an error. In the process of the command.
 */
import { isIP } from 'node:net';
import { resolveBinds } from '../../accept/open-bind.js';
import { tryBind } from '../../accept/try-bind.js';
import { formatAddress, type ListenAddress } from '../../config/address.js';
import type { LoadedConfig } from '../../config/load.js';
import { DroverError } from '../../errors.js';
import { checkApp } from '../../master/check-app.js';
import { Pidfile } from '../../master/pidfile.js';
import type { Finding } from './checks.js';

export async function attempts(loaded: LoadedConfig): Promise<Finding[]> {
  return [...(await binds(loaded)), ...(await pidfile(loaded)), ...(await app(loaded))];
}

/** Of addresses that can be opened, those alone that names stand for. Without --bind a script is served where it listens itself, and the names of HOST are the app's to try. */
async function binds({ config: { bind }, bindGiven }: LoadedConfig): Promise<Finding[]> {
  if (!bindGiven) return [];
  const isNamed = bind.map((address) => address.kind === 'tcp' && isIP(address.host) === 0);
  const named = (addresses: readonly ListenAddress[]): string[] => addresses.filter((_, i) => isNamed[i]).map(formatAddress);
  let resolved: readonly ListenAddress[] = [];
  const resolution = await attempt('--bind', named(bind).join(' '), async () => {
    resolved = await resolveBinds(bind);
    return isNamed.includes(true) ? ok(`listens at ${named(resolved).join(', ')}`) : undefined;
  });
  const refusals: Finding[] = [];
  for (const [i, address] of resolved.entries()) {
    const text = formatAddress(bind[i]!);
    refusals.push(...(await attempt('--bind', text, () => tryBind(address, text))));
  }
  return refusals.length > 0 ? refusals : resolution;
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
  return attempt('--pidfile', path, look);
}

/** Loads the app in a worker that does not listen, as --check-config does. */
async function app(loaded: LoadedConfig): Promise<Finding[]> {
  if (loaded.config.app === '') return [];
  return attempt('app', loaded.config.app, () => checkApp(loaded).then(() => ok('loads')));
}

type Outcome = Omit<Finding, 'name' | 'value'>;

/** Nothing to tell: no finding. */
async function attempt(name: string, value: string, act: () => Outcome | undefined | void | Promise<Outcome | undefined>): Promise<Finding[]> {
  try {
    const outcome = await act();
    return outcome === undefined ? [] : [{ name, value, ...outcome }];
  } catch (error) {
    if (!(error instanceof DroverError)) throw error;
    return [{ name, value, status: 'bad', ...told(error) }];
  }
}

function ok(meaning: string): Outcome {
  return { status: 'ok', meaning };
}

function told({ message, remedy }: DroverError): Pick<Finding, 'meaning' | 'fix'> {
  return { meaning: message, ...(remedy === undefined ? {} : { fix: remedy }) };
}
