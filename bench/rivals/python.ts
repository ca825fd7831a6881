/** Python's pre-fork servers: Gunicorn (sync and gevent workers), uWSGI with and without its thunder lock. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { versionOf, which } from '../install.js';
import { APPS } from '../paths.js';
import { treeOf } from '../processes.js';
import { freePort, launch, type Rival } from '../rival.js';

/** Whether the Python that gunicorn's first line names (not the first one on PATH) has a module. */
function hasModule(program: string, module: string): boolean {
  try {
    const python = /^#!\s*(\S+)/.exec(readFileSync(program, 'utf8'))?.[1] ?? 'python3';
    execFileSync(python, ['-c', `import ${module}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function gunicorn(workerClass: 'sync' | 'gevent'): Rival {
  return {
    name: `gunicorn-${workerClass}`,
    title: `Gunicorn, ${workerClass}`,
    kind: 'other',
    can: workerClass === 'sync' ? ['pid', 'reload'] : ['pid', 'hold', 'reload'],
    available() {
      if (which('gunicorn') === undefined) return 'gunicorn is not installed';
      return workerClass === 'sync' || hasModule(which('gunicorn')!, 'gevent') || 'gevent is not installed';
    },
    version: () => versionOf(which('gunicorn')!, ['--version']),
    async start({ workers }) {
      const port = await freePort();
      return launch({
        command: which('gunicorn')!,
        args: ['-w', String(workers), '-k', workerClass, '-b', `127.0.0.1:${port}`, '--backlog', '2048', '--keep-alive', '60',
          '--log-level', 'warning', '--chdir', APPS, 'wsgi_app:app'],
        workers,
        port,
        boots: false,
        async reload(child) {
          const old = new Set(treeOf(child.pid!));
          child.kill('SIGHUP');
          while (treeOf(child.pid!).some((pid) => pid !== child.pid && old.has(pid))) await sleep(20);
        },
      });
    },
  };
}

function uwsgi(name: string, title: string, flags: readonly string[]): Rival {
  return {
    name,
    title,
    kind: 'other',
    can: ['pid'],
    available() {
      const program = which('uwsgi');
      if (program === undefined) return 'uwsgi is not installed';
      return /python3/.test(versionOf(program, ['--need-plugin', 'python3', '--version'], /.*/)) ? 'uwsgi has no python3 plugin' : true;
    },
    version: () => versionOf(which('uwsgi')!, ['--version']),
    async start({ workers }) {
      const port = await freePort();
      return launch({
        command: which('uwsgi')!,
        args: ['--plugin', 'python3', '--http-socket', `127.0.0.1:${port}`, '--listen', '2048', '--master', '--processes', String(workers),
          '--die-on-term', '--disable-logging', '--chdir', APPS, '--wsgi-file', 'wsgi_app.py', ...flags],
        workers,
        port,
        boots: false,
      });
    },
  };
}

export default [gunicorn('sync'), gunicorn('gevent'), uwsgi('uwsgi', 'uWSGI', []), uwsgi('uwsgi-thunder-lock', 'uWSGI --thunder-lock', ['--thunder-lock'])];
