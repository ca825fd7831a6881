/** The listening sockets that a supervisor hands over, as addresses for --bind: sd_listen_fds(3) of systemd, which others (s6, podman, systemfd) follow. Pure. */
import { DroverError } from '../errors.js';
import type { Env } from './option.js';

const FIRST = 3;
/** More are none that anybody hands over, but a slip. */
const MOST = 1000;

/** Variables with another process's id are that process's, and only inherited. Throws DroverError. */
export function handedOver({ LISTEN_PID: pid, LISTEN_FDS: count }: Env, ours: number): string[] {
  if (pid !== String(ours) || !count) return [];
  if (!/^\d+$/.test(count) || Number(count) > MOST) {
    throw new DroverError('ERR_DROVER_VALUE', `environment variable LISTEN_FDS: not a number of sockets: ${JSON.stringify(count)}`, 'Who starts drover with listening sockets says by it how many there are; correct or unset it.');
  }
  return Array.from({ length: Number(count) }, (_, i) => `fd://${FIRST + i}`);
}
