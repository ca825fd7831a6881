/** Bun's own server with `reusePort`, one child per worker (bench/apps/bun-server.mjs). Not Node's http: read its CPU accordingly. */
import { fromNpm, versionOf, which } from '../install.js';
import { APPS } from '../paths.js';
import { freePort, launch, type Rival } from '../rival.js';

function program(): { path: string } | { why: string } {
  const installed = which('bun');
  // The program itself is in the platform's package; `bun` only links to it after an install script.
  return installed === undefined ? fromNpm(`@oven/bun-linux-${process.arch === 'arm64' ? 'aarch64' : 'x64'}`, `@oven/bun-linux-${process.arch === 'arm64' ? 'aarch64' : 'x64'}/bin/bun`) : { path: installed };
}

const bun: Rival = {
  name: 'bun',
  title: 'Bun, reusePort',
  kind: 'other',
  can: ['pid', 'block', 'hold'],
  available() {
    const found = program();
    return 'why' in found ? found.why : true;
  },
  version: () => versionOf((program() as { path: string }).path, ['--version']),
  async start({ workers }) {
    return launch({
      command: (program() as { path: string }).path,
      args: [`${APPS}bun-server.mjs`, String(workers)],
      workers,
      port: await freePort(),
      boots: true,
    });
  },
};

export default [bun];
