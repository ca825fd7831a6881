/**
 * Start drover by the command given, ask it once, stop it, and see that it stops as asked:
 *
 *   node .ci/answers.mjs npm start -- --bind 127.0.0.1:0
 *
 * Reads the JSON log: the address, when it is ready, the master's pid. Anything else than an answer and exit code 0 fails.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const [command, ...args] = process.argv.slice(2);
const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'pipe'] });
let master;
let address;

createInterface({ input: child.stderr }).on('line', (line) => {
  console.error(line);
  const record = parse(line);
  if (record?.event === 'master.listening') address ??= record.address;
  if (record?.event === 'master.ready') {
    master = record.pid;
    ask().catch((error) => fail(`no answer: ${error.stack}`));
  }
});
child.on('error', (error) => fail(error.message));
child.on('exit', (code, signal) => {
  if (master === undefined) fail(`${command} ended before drover was ready (${signal ?? `exit code ${code}`})`);
  else if (code !== 0) fail(`stopped with ${signal ?? `exit code ${code}`}, not 0`);
});

async function ask() {
  const answer = await fetch(`http://${address.replace(/^https?:\/\//, '')}/`);
  const body = await answer.text();
  console.error(`answered: ${answer.status} ${JSON.stringify(body)}`);
  if (!answer.ok || body.length === 0) fail('not an answer');
  process.kill(master, 'SIGTERM');
}

function parse(line) {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function fail(text) {
  console.error(text);
  process.exitCode = 1;
  if (master !== undefined && child.exitCode === null) process.kill(master, 'SIGKILL');
}
