/** A name to listen at that stands for no address. In the master for those of --bind, in the worker for one that drover has chosen. */
import { DroverError } from '../errors.js';

/** `asked`: the whole address, and where it is from; `code`: of what getaddrinfo(3) said. */
export function unresolved(asked: string, host: string, code: string | undefined): DroverError {
  return new DroverError(
    'ERR_DROVER_LISTEN',
    `cannot listen at ${asked}: the name ${host} does not resolve (${code})`,
    'Give an address of this machine, 0.0.0.0 or [::] for all of them, or put the name into /etc/hosts.',
  );
}
