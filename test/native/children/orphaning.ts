/** Starts an orphan-to-be, says its pid, and stays until killed. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const child = spawn(process.execPath, [fileURLToPath(new URL('orphan.js', import.meta.url))], {
  stdio: ['ignore', 'pipe', 'inherit'],
  env: { ...process.env, DROVER_FAULT_FCHMOD_MS: '3600000' },
});
child.stdout.once('data', () => console.log(child.pid));
setInterval(() => {}, 60_000);
