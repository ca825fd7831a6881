/**
 * Adopts what its own child leaves behind: child → grandchild; the child is killed, the grandchild ends by its watch, and is reaped here.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { check, native } from '../../../src/native.js';
import { until } from '../support.js';
import { parentEnd } from './parent-end.js';

const parent = parentEnd();
check('prctl', native.setSubreaper());
const child = spawn(process.execPath, [fileURLToPath(new URL('orphaning.js', import.meta.url))], { stdio: ['ignore', 'pipe', 'inherit'] });
const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
const pid = Number(line);
parent.send({ type: 'grandchild', pid });
await parent.next('kill');
child.kill('SIGKILL');
await once(child, 'exit');
const stat = (): string[] => readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
const before = native.reap(pid);
await until(() => stat()[0] === 'Z');
// proc(5): exit_code is field 52, and the state, first here, is field 3.
const exitCode = Number(stat()[52 - 3]) >> 8;
// The first thread shows as a zombie while others are still on their way out.
let reaped = 0;
await until(() => (reaped = native.reap(pid)) !== 0);
parent.send({ type: 'reaped', before, pid: reaped, exitCode, again: native.reap(pid) });
