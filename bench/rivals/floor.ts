/** The floor: raw C, epoll, SO_REUSEPORT (bench/native/floor.c). */
import { compile } from '../compile.js';
import { which } from '../install.js';
import { freePort, launch, type Rival } from '../rival.js';

const floor: Rival = {
  name: 'floor',
  title: 'C epoll, SO_REUSEPORT (the floor)',
  kind: 'floor',
  can: ['pid', 'block', 'hold'],
  available: () => which(process.env['CC'] ?? 'cc') !== undefined || 'no C compiler',
  version: () => '',
  async start({ workers }) {
    const port = await freePort();
    return launch({ command: compile('floor'), args: [String(port), String(workers)], workers, port, boots: false });
  },
};

export default [floor];
