/** PM2 in cluster mode: a daemon with a home of its own in a temporary folder, so that no PM2 of the machine's is touched. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fromNpm, versionOf } from '../install.js';
import { APPS } from '../paths.js';
import { freePort, launch, type Rival } from '../rival.js';

const run = promisify(execFile);
const program = (): { path: string } | { why: string } => fromNpm('pm2', 'pm2/bin/pm2');

const pm2: Rival = {
  name: 'pm2',
  title: 'PM2, cluster mode',
  kind: 'other',
  can: ['pid', 'block', 'hold', 'reload'],
  available() {
    const found = program();
    return 'why' in found ? found.why : true;
  },
  version: () => versionOf(process.execPath, [(program() as { path: string }).path, '--version'], /^\d+\.\d+\.\d+$/m),
  async start({ workers }) {
    const { path } = program() as { path: string };
    const home = mkdtempSync(join(tmpdir(), 'drover-bench-pm2-'));
    const env = { PM2_HOME: home };
    const command = (...args: string[]): Promise<unknown> => run(process.execPath, [path, ...args], { env: { ...process.env, ...env } });
    return launch({
      command: process.execPath,
      args: [path, 'start', `${APPS}server.cjs`, '--name', 'bench', '-i', String(workers)],
      workers,
      port: await freePort(),
      env,
      boots: true,
      root() {
        try {
          return Number(readFileSync(join(home, 'pm2.pid'), 'utf8')) || undefined;
        } catch {
          return undefined;
        }
      },
      async reload() {
        await command('reload', 'bench');
      },
      async stop() {
        await command('kill');
        rmSync(home, { recursive: true, force: true });
      },
    });
  },
};

export default [pm2];
