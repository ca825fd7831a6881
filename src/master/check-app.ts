/**
 * --check-config: whether the app loads. Boots one worker, in which listen() succeeds without anything being opened at the
 * addresses of the app or of --bind, and stops it when it is ready. Runs in the process of the command.
 */
import type { LoadedConfig } from '../config/load.js';
import { createBoard } from '../ipc/board-memory.js';
import { INFLIGHT_BYTES } from '../ipc/inflight.js';
import type { BoundAddress, ListenRequest } from '../ipc/messages.js';
import { createSharedMemory } from '../ipc/refused-by-system.js';
import { closeFd, native } from '../native.js';
import { bootFailure } from './boot-failure.js';
import { explainDeath } from './death.js';
import { killLate } from './late-boot.js';
import { MemoryKills } from './memory-kills.js';
import { Reports } from './report.js';
import { TicketKeys } from './ticket-keys.js';
import { WorkerHandle } from './worker-handle.js';

/** Resolves when the app has loaded; else rejects with the DroverError that serving would end with. */
export async function checkApp(loaded: LoadedConfig): Promise<void> {
  const { board, fd: boardFd, kernelReadable } = createBoard();
  const inflightFd = createSharedMemory('inflight', INFLIGHT_BYTES);
  const worker = new WorkerHandle({ slot: 0, row: 0, generation: 1 }, loaded);
  const { acceptStrategy, bootTimeoutMs, steer } = loaded.config;
  // Where it would be steered by load, as when it serves: the app is not to have what is given for that alone.
  if (kernelReadable === 0 && (acceptStrategy === 'auto' || acceptStrategy === 'reuseport') && (steer === 'auto' || steer === 'least')) native.withholdBpf();
  let timer: NodeJS.Timeout | undefined;
  let isReady = false;
  const memory = new MemoryKills();
  const reports = new Reports();

  const stop = (): void => {
    worker.quit('the check is done', performance.now());
    clearTimeout(timer);
    timer = setTimeout(() => worker.kill('SIGKILL', 'quick-stop', 'it had not exited after it was told to quit'), worker.deadline!.at - performance.now());
  };

  try {
    await new Promise<void>((resolve, reject) => {
      worker.spawn(
        { loaded, reportFd: reports.open(), reportDir: reports.dir, boardFd, inflightFd, heartbeat: undefined, ticketKeys: new TicketKeys().keys, compiledCode: undefined, wake: undefined },
        {
          message(_, message) {
            switch (message.type) {
              case 'listen':
                return answer(worker, message);
              case 'boots':
                worker.bootStep = message;
                return;
              case 'boot-failed':
                worker.bootFailed = message;
                return;
              case 'fatal':
                worker.fatal = message;
                return;
              case 'ready':
                isReady = true;
                return stop();
              default:
            }
          },
          nonsense: (_, why) => worker.kill('SIGKILL', 'nonsense', `it sent ${why} on its channel`),
          exit(_, code, signal) {
            if (isReady) return resolve();
            const { bootFailed, killed, fatal, spawnFailure } = worker;
            const death = explainDeath({ code, signal, phase: 'starting', asked: false, killed, spawnFailure, begun: board.hasBegun(worker.row), nodeArgs: loaded.config.nodeArgs, nodeOptions: worker.nodeOptions, bootFailed, fatal, heap: reports.take(worker.pid, worker.reportFd), cgroup: memory.evidence(worker, signal, performance.now()) });
            reject(bootFailure(worker, death));
          },
        },
        performance.now(),
      );
      memory.locate(worker, performance.now());
      timer = setTimeout(() => killLate(worker, board.hasBegun(worker.row)), bootTimeoutMs);
    });
  } finally {
    clearTimeout(timer);
    closeFd(boardFd);
    closeFd(inflightFd);
    if (worker.reportFd !== undefined) closeFd(worker.reportFd);
    reports.close();
  }
}

/** Grant a socket that listens where nobody can know: an abstract name of our own. The app is told the address it asked for. */
function answer(worker: WorkerHandle, request: ListenRequest): void {
  const fd = native.listenUnix(`@drover-check-${process.pid}-${request.id}`, 1);
  if (fd < 0) return void worker.send({ type: 'listen-failed', id: request.id, errno: fd, message: 'cannot listen: no socket for the check' });
  const address: BoundAddress =
    request.path === null
      ? { family: request.address === null || request.address.includes(':') ? 'IPv6' : 'IPv4', address: request.address ?? '::', port: request.port }
      : { family: 'unix', path: request.path };
  const key = `check-${request.id}`;
  worker.send({ type: 'listening', id: request.id, key, sockets: [{ key, bind: 0, slot: -1, address, strategy: 'exclusive' }] }, [fd]);
  closeFd(fd);
}
