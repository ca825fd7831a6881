'use strict';
// The smallest node:cluster program: `primary.cjs WORKERS rr|none`, workers run server.cjs and are replaced when they die.
const cluster = require('node:cluster');
const path = require('node:path');

const [workers, policy] = process.argv.slice(2);
cluster.schedulingPolicy = policy === 'none' ? cluster.SCHED_NONE : cluster.SCHED_RR;
cluster.setupPrimary({ exec: path.join(__dirname, 'server.cjs'), args: [] });
for (let i = 0; i < Number(workers); i++) cluster.fork();
cluster.on('exit', () => cluster.fork());
process.on('SIGTERM', () => {
  for (const worker of Object.values(cluster.workers)) worker.process.kill('SIGKILL');
  process.exit(0);
});
