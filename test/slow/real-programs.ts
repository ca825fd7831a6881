/**
 * Programs from npm that nobody here wrote and that call listen() themselves, unmodified, with four workers: each answers, and a reload
 * under load loses no request. Not in the fast suite: it installs them. Run it with
 *
 *     npm run build && node dist/test/slow/real-programs.js [name…]
 *
 * Prints a line per program and strategy; exit code 0 when all is well.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Drover, type Address } from '../helpers/drover.js';
import { get } from '../helpers/http.js';
import { Load } from '../helpers/load.js';

interface Program {
  package: string;
  /** Path of the program below node_modules. */
  main: string;
  /** Flags of drover beside the workers. */
  flags: string[];
  args: (dir: string) => string[];
  prepare: (dir: string) => void;
  path: string;
  expects: RegExp;
}

/** Their ports are below those that the kernel gives to clients: one that a connection of the load before has had stays taken for a minute. */
const PROGRAMS: Record<string, Program> = {
  verdaccio: {
    package: 'verdaccio@6',
    main: 'verdaccio/bin/verdaccio',
    flags: [],
    args: (dir) => ['--config', join(dir, 'verdaccio.yaml'), '--listen', '127.0.0.1:28731'],
    prepare: (dir) =>
      writeFileSync(
        join(dir, 'verdaccio.yaml'),
        `storage: ${dir}/storage\nauth: { htpasswd: { file: ${dir}/htpasswd } }\npackages: { '**': { access: $all } }\nlog: { type: stdout, format: json, level: error }\n`,
      ),
    path: '/-/ping',
    expects: /\{\}/,
  },
  'json-server': {
    package: 'json-server@0.17',
    main: 'json-server/lib/cli/bin.js',
    flags: [],
    args: (dir) => [join(dir, 'db.json'), '--host', '127.0.0.1', '--port', '28732', '--quiet'],
    prepare: (dir) => writeFileSync(join(dir, 'db.json'), JSON.stringify({ posts: [{ id: 1, title: 'a title' }] })),
    path: '/posts/1',
    expects: /"title": "a title"/,
  },
  serve: {
    package: 'serve@14',
    main: 'serve/build/main.js',
    flags: [],
    args: (dir) => ['--listen', 'tcp://127.0.0.1:28733', '--no-request-logging', join(dir, 'files')],
    ...servesFiles('files'),
  },
  'http-server': {
    package: 'http-server@14',
    main: 'http-server/bin/http-server',
    flags: [],
    args: (dir) => [join(dir, 'public'), '-a', '127.0.0.1', '-p', '28734', '-s'],
    ...servesFiles('public'),
  },
  'fastify-cli': {
    package: 'fastify-cli@8',
    main: 'fastify-cli/cli.js',
    flags: [],
    args: (dir) => ['start', '-a', '127.0.0.1', '-p', '28735', join(dir, 'plugin.cjs')],
    prepare: (dir) => writeFileSync(join(dir, 'plugin.cjs'), "module.exports = async (app, options) => void app.get('/', async () => 'hello from a plugin');\n"),
    path: '/',
    expects: /^hello from a plugin$/,
  },
  // Finds in each worker that the port is taken by the others: needs --bind.
  'get-port': {
    package: 'get-port@7',
    main: 'finds-a-port.mjs',
    flags: ['-b', '127.0.0.1:0'],
    args: () => [],
    prepare: (dir) =>
      writeFileSync(
        join(dir, 'node_modules', 'finds-a-port.mjs'),
        "import http from 'node:http';\nimport getPort from 'get-port';\nhttp.createServer((request, response) => response.end('found')).listen(await getPort({ port: 28736 }));\n",
      ),
    path: '/',
    expects: /^found$/,
  },
  // By which h3 and Nitro listen: always `exclusive`.
  srvx: {
    package: 'srvx@1',
    main: 'serves-by-srvx.mjs',
    flags: [],
    args: () => [],
    prepare: (dir) =>
      writeFileSync(join(dir, 'node_modules', 'serves-by-srvx.mjs'), "import { serve } from 'srvx';\nserve({ port: 28737, hostname: '127.0.0.1', fetch: () => new Response('from srvx') });\n"),
    path: '/',
    expects: /^from srvx$/,
  },
  'serve-bound': {
    package: 'serve@14',
    main: 'serve/build/main.js',
    flags: ['-b', '127.0.0.1:0'],
    args: (dir) => ['--no-request-logging', join(dir, 'bound')],
    ...servesFiles('bound'),
  },
};

/** A program that serves the files of a directory. */
function servesFiles(name: string): Pick<Program, 'prepare' | 'path' | 'expects'> {
  return {
    prepare: (dir) => {
      mkdirSync(join(dir, name));
      writeFileSync(join(dir, name, 'hello.txt'), 'hello from a file\n');
    },
    path: '/hello.txt',
    expects: /^hello from a file\n$/,
  };
}

async function run(dir: string, program: Program, strategy: string): Promise<string> {
  const main = join(dir, 'node_modules', program.main);
  const drover = new Drover([main, '-w', '4', '--accept-strategy', strategy, ...program.flags, '--', ...program.args(dir)], { cwd: dir });
  try {
    await drover.ready();
    const address: Address = await drover.address();
    const answer = await get(address, program.path);
    if (answer.status !== 200 || !program.expects.test(answer.body)) throw new Error(`answered ${answer.status} ${answer.body.slice(0, 200)}\n${drover.log()}`);
    const load = new Load(address, { path: program.path, check: ({ status, body }) => status === 200 && program.expects.test(body) });
    await load.asked(200);
    drover.signal('SIGHUP');
    await drover.event('reload.finished');
    await drover.count(4, 'worker.exited');
    await load.asked(200);
    const { ok, lost } = await load.stop();
    const { code } = await drover.stop();
    const died = drover.events('worker.died').length;
    if (lost.length > 0 || died > 0 || code !== 0) throw new Error(`${lost.length} lost (${[...new Set(lost)].join('; ')}), ${died} died, exit code ${code}\n${drover.log()}`);
    return `${ok} requests, 0 lost over a reload of 4 workers`;
  } finally {
    await drover.destroy();
  }
}

const wanted = process.argv.slice(2);
const chosen = Object.entries(PROGRAMS).filter(([name]) => wanted.length === 0 || wanted.includes(name));
const dir = mkdtempSync(join(tmpdir(), 'drover-programs-'));
let failed = 0;
try {
  // A dependency of verdaccio asks for node-fetch by its tag `cjs`, which is this version; some mirrors carry no tags.
  writeFileSync(join(dir, 'package.json'), JSON.stringify({ private: true, overrides: { 'node-fetch': '2.6.7' } }));
  const packages = [...new Set(chosen.map(([, program]) => program.package))];
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error', ...packages], { cwd: dir, stdio: 'inherit' });
  for (const [name, program] of chosen) {
    program.prepare(dir);
    for (const strategy of ['shared', 'reuseport']) {
      try {
        console.log(`ok    ${name} (${program.package}), ${strategy}: ${await run(dir, program, strategy)}`);
      } catch (error) {
        failed += 1;
        console.log(`FAIL  ${name} (${program.package}), ${strategy}: ${(error as Error).message}`);
      }
    }
  }
} finally {
  rmSync(dir, { recursive: true, force: true });
}
process.exitCode = failed === 0 ? 0 : 1;
