/**
 * Serving, from the configuration to the exit code: opens what the master owns (log, pid file, shared memory, sockets), runs the loop
 * (master.ts), and closes everything again. Runs in the master.
 */
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { isConducted } from '../accept/choose.js';
import { Listeners } from '../accept/listeners.js';
import { chooseSteering } from '../accept/steering/choose.js';
import { permitsOf } from '../accept/strategies.js';
import type { LoadedConfig, LoadInput } from '../config/load.js';
import { outOfFiles } from '../config/out-of-files.js';
import { unknownVariables } from '../config/unknown-variables.js';
import { DroverError, EXIT_CODES } from '../errors.js';
import { createBoard } from '../ipc/board-memory.js';
import { INFLIGHT_BYTES } from '../ipc/inflight.js';
import { createSharedMemory, threadRefused } from '../ipc/refused-by-system.js';
import { Logger } from '../log/logger.js';
import { check, native } from '../native.js';
import type { CallHook, Context } from './context.js';
import { Bells } from './bells.js';
import { CompiledCode } from './compiled-code.js';
import { hookCaller } from './call-hook.js';
import { Heartbeats } from './heartbeat.js';
import { checkAccessLogFile, checkLogFile } from './log-files.js';
import { Master } from './master.js';
import { Pidfile } from './pidfile.js';
import { Reports } from './report.js';
import { TicketKeys } from './ticket-keys.js';
import { warnOfExpiry } from './certificates.js';
import { SIGNALS, watchSignals, type SignalName } from './signals.js';
import { atTerminal, ownTerminal } from './terminal.js';

/** Serve until told to stop. Answers the exit code; rejects with a DroverError when drover cannot start. `reload` reads the config anew; it is given the config file in force, and how long that may take. */
export async function serve(loaded: LoadedConfig, reload: (input: Required<Pick<LoadInput, 'configFile' | 'configFileMs'>>) => Promise<LoadedConfig>): Promise<number> {
  const { config } = loaded;
  process.title = `drover: master [${config.name}]`;
  checkLogFile(loaded);
  const log = new Logger({ level: config.logLevel, format: config.logFormat, file: config.logFile });
  // Recorded from the first moment: a signal that comes while sockets are opened is not lost, and USR1 opens no inspector here.
  const early: SignalName[] = [];
  let record = (signal: SignalName): void => void early.push(signal);
  const stopped = new Promise<SignalName>((resolve) => {
    record = (signal) => {
      early.push(signal);
      if (isStop(signal)) resolve(signal);
    };
  });
  const unwatch = watchSignals((signal) => record(signal));

  const pidfile = config.pidfile === null ? undefined : new Pidfile(config.pidfile, loaded.sources.pidfile.where);
  const reports = new Reports();
  let context: Context | undefined;
  let hook: CallHook | undefined;
  let { configFile } = loaded;
  const onBug = (error: unknown): void => {
    // Nothing is known to hold any more. The workers see their channels close, finish what is open, and exit.
    log.emit('master.failed', { message: `bug in drover: ${error instanceof Error ? error.message : String(error)}`, stack: error instanceof Error ? error.stack : undefined, exitCode: EXIT_CODES.bug.code });
    pidfile?.remove();
    reports.close();
    process.exit(EXIT_CODES.bug.code);
  };
  process.on('uncaughtException', onBug);

  try {
    // Before whatever may fail: it ends with master.stopped, and a log may hold another drover's lines as well.
    log.emit('master.starting', { version: packageVersion(), node: process.versions.node, workers: config.workers, app: config.app });
    checkAccessLogFile(loaded);
    pidfile?.write();
    for (const unknown of unknownVariables(process.env)) log.emit('config.unknown-variable', { ...unknown });
    if (loaded.unusedSockets.length > 0) log.emit('listen.sockets-unused', { sockets: loaded.unusedSockets.join(', '), where: loaded.sources.bind.where });
    warnOfExpiry(loaded, log);
    context = openContext(loaded, log, reports);
    const master: Master = new Master(
      context,
      loaded,
      async () => {
        const next = await reload({ configFile, configFileMs: master.pool.loaded.config.bootTimeoutMs });
        checkAccessLogFile(next);
        configFile = next.configFile;
        return next;
      },
      hookCaller(log),
      ownTerminal(),
    );
    hook = master.hook;
    await Promise.race([hook('onStarting'), stopped]);
    const handedOver = loaded.sources.bind.source === 'supervisor';
    if (loaded.bindGiven && !early.some(isStop)) await Promise.race([context.listeners.openBinds(config.bind, handedOver), stopped]);
    const stop = early.find(isStop);
    if (stop !== undefined) {
      log.emit('master.signal', { signal: stop, action: SIGNALS[stop].says });
      return await finish(EXIT_CODES.ok.code);
    }
    record = (signal) => master.post({ type: 'signal', signal });
    const code = master.run();
    // While the first workers boot.
    context.listeners.steer();
    const { tlsTicketRotateMs } = config;
    if (tlsTicketRotateMs > 0) setInterval(() => master.post({ type: 'rotate-tickets' }), tlsTicketRotateMs).unref();
    early.forEach(record);
    return await finish(await code);
  } catch (thrown) {
    const error = outOfFiles(thrown) ?? thrown;
    if (!(error instanceof DroverError)) throw error;
    // The command prints the error for people; this is for who reads the log. A log on standard error is where people would read both: where no
    // terminal is about (systemd, a container, cron) the record is all.
    if (!log.readable) log.emit('master.failed', { message: error.message, remedy: error.remedy, stack: error.appStack, code: error.code, exitCode: error.exitCode });
    const code = await finish(error.exitCode);
    if (!log.readable && log.file === null && !atTerminal()) return code;
    throw error;
  } finally {
    context?.listeners.closeAll();
    context?.conductor?.stop();
    reports.close();
    pidfile?.remove();
    unwatch();
    process.off('uncaughtException', onBug);
  }

  async function finish(code: number): Promise<number> {
    await hook?.('onExit');
    log.emit('master.stopped', { code });
    return code;
  }
}

function isStop(signal: SignalName): boolean {
  const { action } = SIGNALS[signal];
  return action === 'stop' || action === 'quick-stop';
}

function openContext({ config }: LoadedConfig, log: Logger, reports: Reports): Context {
  const { board, fd: boardFd, kernelReadable } = createBoard();
  const inflightFd = createSharedMemory('inflight', INFLIGHT_BYTES);
  const { acceptStrategy, acceptPermits, steer, stallMs } = config;
  board.setStallMs(stallMs);
  const exclusiveWorks = native.exclusiveWorks();
  const permits = permitsOf(acceptStrategy, acceptPermits);
  const conducted = isConducted(acceptStrategy, exclusiveWorks);
  const steered = acceptStrategy === 'auto' || acceptStrategy === 'reuseport';
  const conductor = conducted || steered ? new native.Conductor(board.buffer, stallMs, permits) : undefined;
  if (conductor !== undefined) {
    const started = conductor.start();
    const refusal = threadRefused(started);
    if (refusal !== undefined) throw refusal;
    check('pthread_create', started);
  }
  let steering;
  try {
    if (steered && steer === 'source') board.setSticky();
    if (conductor !== undefined && steered) steering = chooseSteering(steer, { conductor, boardFd, kernelReadable });
    // It was given for that alone, and the app's code is not to have it.
    const withheld = steering?.name === 'least' ? native.withholdBpf() : 0;
    if (withheld < 0 && withheld !== -constants.errno.EINVAL) log.emit('master.capability-shared', { error: getSystemErrorName(withheld) });
  } catch (error) {
    conductor?.stop();
    throw error;
  }
  return {
    log,
    board,
    boardFd,
    inflight: check('mmap', native.mapMemory(inflightFd)) as ArrayBuffer,
    inflightFd,
    heartbeats: new Heartbeats(config.workerTmpDir, log, config.timeoutMs > 0),
    conductor,
    bells: conductor === undefined || !conducted ? undefined : new Bells(conductor, permits > 0),
    listeners: new Listeners({
      strategy: acceptStrategy,
      exclusiveWorks,
      conductor,
      steering,
      backlog: config.backlog,
      umask: config.umask,
      emit: (event, fields) => log.emit(event, fields),
    }),
    reports,
    ticketKeys: new TicketKeys(),
    compiledCode: new CompiledCode(),
    now: () => performance.now(),
  };
}

function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as { version: string };
  return version;
}
