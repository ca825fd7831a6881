/** Arms sockets in an acceptor: the one loop that all strategies share. In a worker. */
import { closeFd, type ArmOptions, type NativeAcceptor } from '../native.js';
import type { HandedSocket } from './strategy.js';

/** 0 or the first -errno. All are tried: a socket that cannot be armed (it is closed) leaves the others served. */
export function arm(acceptor: NativeAcceptor, sockets: readonly HandedSocket[], how: Omit<ArmOptions, 'slot'>): number {
  let failed = 0;
  for (const { fd, grant } of sockets) {
    const result = acceptor.arm(fd, { ...how, slot: grant.slot });
    if (result >= 0) continue;
    closeFd(fd);
    if (failed === 0) failed = result;
  }
  return failed;
}
