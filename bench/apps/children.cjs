'use strict';
// `children.cjs WORKERS`: plain children that run server.cjs, each with a listening socket of its own (BENCH_REUSEPORT=1).
const { spawn } = require('node:child_process');
const path = require('node:path');

const children = new Set();
function start() {
  const child = spawn(process.execPath, [path.join(__dirname, 'server.cjs')], { stdio: 'inherit' });
  children.add(child);
  child.on('exit', () => {
    children.delete(child);
    start();
  });
}
for (let i = 0; i < Number(process.argv[2]); i++) start();
process.on('SIGTERM', () => {
  for (const child of children) child.kill('SIGKILL');
  process.exit(0);
});
