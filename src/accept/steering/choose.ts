/** Policy: how connections are steered, and why. In the master, once, at start. */
import { randomInt } from 'node:crypto';
import { getSystemErrorName } from 'node:util';
import type { SteeringName } from '../../config/options.js';
import { DroverError } from '../../errors.js';
import type { NativeConductor } from '../../native.js';
import { steerByHash } from './hash.js';
import { steerByLoad } from './least.js';
import { steerBySource } from './source.js';
import type { Steering } from './steering.js';
import { steerByWeights } from './weighted.js';

export interface SteeringChoice {
  name: Steering['name'];
  reason: string;
  /** For one group. */
  open(): Steering;
}

export interface SteeringMeans {
  conductor: NativeConductor;
  boardFd: number;
  /** Whether programs in the kernel can read the board: 0 or -errno (BoardMemory). */
  kernelReadable: number;
}

/** Throws ERR_DROVER_VALUE when it has to be `least` and cannot. */
export function chooseSteering(wanted: SteeringName, { conductor, boardFd, kernelReadable }: SteeringMeans): SteeringChoice {
  if (wanted === 'hash') return { name: 'hash', reason: 'as asked for', open: steerByHash };
  if (wanted === 'source') {
    // One for all addresses: a client has the same worker at each where all workers listen.
    const seed = randomInt(2 ** 31);
    return { name: 'source', reason: 'as asked for', open: () => steerBySource(seed) };
  }
  const weighted = { name: 'weighted', open: () => steerByWeights(conductor) } as const;
  if (wanted === 'weighted') return { ...weighted, reason: 'as asked for' };
  const refusal = kernelReadable < 0 ? kernelReadable : tryProgram(conductor, boardFd);
  if (refusal === 0) return { name: 'least', reason: wanted === 'auto' ? 'bpf(2) is permitted' : 'as asked for', open: () => steerByLoad(conductor, boardFd) };
  if (wanted === 'least') {
    throw new DroverError('ERR_DROVER_VALUE', `--steer least is not possible here: ${explain(refusal)}`, `${remedy(refusal)}, or use --steer auto.`);
  }
  return { ...weighted, reason: `${explain(refusal)}${isPermission(refusal) ? '; CAP_BPF would give least' : ''}` };
}

/** Why sockets could not be steered, for the log. */
export function explainSteering(steering: Steering['name'], errno: number): { error: string; reason: string; remedy?: string } {
  const error = getSystemErrorName(errno);
  // That is how the kernel refuses a socket's program for its size, with memory in plenty. The others begin with descriptors and maps.
  if (error !== 'ENOMEM' || (steering !== 'source' && steering !== 'hash')) return { error, reason: error };
  return { error, reason: `${error}: the program that steers is larger than net.core.optmem_max allows`, remedy: 'Raise it, sysctl -w net.core.optmem_max=20480 is enough for all there is, then start drover anew.' };
}

/** The board may be a map, and the program yet be refused: an old kernel, a seccomp filter. 0 or -errno. */
function tryProgram(conductor: NativeConductor, boardFd: number): number {
  const group = conductor.openLeastGroup(boardFd);
  if (group < 0) return group;
  conductor.closeGroup(group);
  return 0;
}

function isPermission(errno: number): boolean {
  return ['EPERM', 'EACCES'].includes(getSystemErrorName(errno));
}

function explain(errno: number): string {
  if (isPermission(errno)) return 'bpf(2) is not permitted';
  return getSystemErrorName(errno) === 'ENOSYS' ? 'this kernel has no bpf(2)' : `bpf(2) answers ${getSystemErrorName(errno)}`;
}

function remedy(errno: number): string {
  return isPermission(errno) ? 'Give drover the capability CAP_BPF (systemd: AmbientCapabilities=CAP_BPF)' : 'It takes Linux 5.5 or newer with BPF';
}
