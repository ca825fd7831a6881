/**
 * The process an app finds itself in: title, working directory, environment, inspector port, what V8 leaves behind when it runs out of heap. In the worker.
 */
import { bearLostReaders } from '../log/lost-reader.js';
import { WORKER_TITLE } from './title.js';
import type { Init } from './worker.js';

/** `reportFd`: what V8 leaves behind goes there. */
export function setProcessUp({ slot, config }: Init, reportFd: number | undefined): void {
  if (process.cwd() !== config.cwd) process.chdir(config.cwd);
  // The app is what node calls the main module, not the file that the process was started with (which is CommonJS: .ci/bundle.mjs).
  Reflect.deleteProperty(process, 'mainModule');
  bearLostReaders();
  process.title = `${WORKER_TITLE} [${config.name}] #${slot}`;
  // PM2's name for it, which apps and libraries look for (to run a cron job in one worker only, for instance).
  process.env['NODE_APP_INSTANCE'] = String(slot);
  // SIGUSR1 opens the inspector: at a port of its own in each worker. Of one that is open, inspector.url() would tell this for its port.
  if (!inspectorIsOpen()) process.debugPort = 0;
  // The master's flag for it is no business of processes that the app forks with our flags.
  const flag = process.execArgv.indexOf('--inspect-publish-uid=http');
  if (flag !== -1) process.execArgv.splice(flag, 1);
  if (reportFd !== undefined) reportTo('/proc/self/fd', String(reportFd));
  else if (config.reportDir !== null) reportTo(config.reportDir, `worker-${process.pid}.json`);
}

const OPENS_INSPECTOR = /(?:^|\s)--inspect(?:-brk|-wait)?(?:[=\s]|$)/;

/** By --inspect; which in all workers but one finds a fixed port taken. To ask node itself takes it 10 ms. */
function inspectorIsOpen(): boolean {
  if (!OPENS_INSPECTOR.test(`${process.execArgv.join(' ')} ${process.env['NODE_OPTIONS'] ?? ''}`)) return false;
  return process.getBuiltinModule('node:inspector')?.url() !== undefined;
}

/** Out of heap, V8 aborts at once: the report node writes then is how the master learns why. A user's own settings stay. */
function reportTo(directory: string, filename: string): void {
  const { report } = process;
  if (report === undefined || report.reportOnFatalError || report.reportOnSignal || report.reportOnUncaughtException || report.directory !== '' || report.filename !== '') return;
  report.reportOnFatalError = true;
  report.directory = directory;
  report.filename = filename;
  report.compact = true;
  // Else node resolves the name of every peer, which may take a minute. Since Node 22.
  if ('excludeNetwork' in report) report.excludeNetwork = true;
  const { writeReport } = report;
  // One that the app asks for is the app's, and goes where it would go without us.
  report.writeReport = (...args: unknown[]) => {
    const found = { directory: report.directory, filename: report.filename };
    if (found.directory === directory) report.directory = '';
    if (found.filename === filename) report.filename = '';
    try {
      return Reflect.apply(writeReport, report, args) as string;
    } finally {
      Object.assign(report, found);
    }
  };
}
