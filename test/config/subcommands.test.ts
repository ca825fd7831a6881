import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { loadConfig } from '../../src/config/load.js';
import type { DroverError } from '../../src/errors.js';

function tree(t: ExecutionContext, ...files: string[]): string {
  const directory = mkdtempSync(join(tmpdir(), 'drover-command-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  for (const file of files) {
    mkdirSync(dirname(join(directory, file)), { recursive: true });
    writeFileSync(join(directory, file), '');
  }
  return directory;
}

async function told(cwd: string, ...argv: string[]): Promise<string> {
  try {
    return (await loadConfig({ argv, env: {}, cwd })).config.app;
  } catch (error) {
    return (error as DroverError).format().replace(cwd, 'DIR');
  }
}

const no = (word: string, remedy: string): string => `drover has no command ${word}, and there is no file or package of that name in DIR\n  ${remedy}`;

test('a command of other tools: what to type', async (t) => {
  const cwd = tree(t, 'app.js');
  const alone = 'drover serves the app that it is given: `drover app.js`. Flags differ: `drover --help` lists those of drover.';
  t.is(await told(cwd, 'start', 'app.js', '-w', '2'), no('start', 'drover serves the app that it is given: `drover app.js -w 2`.'));
  t.is(await told(cwd, 'run', "it's app.js"), no('run', "drover serves the app that it is given: `drover 'it'\\''s app.js'`."));
  t.is(await told(cwd, 'start', 'app.js', '-i', '4', '--name=web'), no('start', alone), 'flags of the other tool are not repeated');
  t.is(await told(cwd, 'start', '-i', '4', 'app.js', '-b', ':80'), no('start', alone));
  t.is(await told(cwd, 'start', 'app.js', '--', '-i', '4'), no('start', 'drover serves the app that it is given: `drover app.js -- -i 4`.'), 'what is the app’s is');
  t.is(await told(cwd, 'start', 'app.js', '--node-args', '--require=./x'), no('start', 'drover serves the app that it is given: `drover app.js --node-args --require=./x`.'));
  t.is(await told(cwd, 'npx', 'tsx', 'app.js'), no('npx', 'drover serves the app that it is given: `drover app.js`.'));
  t.is(await told(cwd, 'node', '--inspect', 'app.js'), no('node', alone));
  t.is(await told(cwd, 'node', 'app.js'), no('node', 'drover serves the app that it is given: `drover app.js`.'));
  t.regex(await told(cwd, 'npm', 'start'), /no command npm.*\n.*script in package\.json/);
  t.regex(await told(cwd, 'save'), /no command save.*\n.*supervisor/);
  t.is(await told(cwd, 'start'), no('start', 'drover serves the app that it is given: `drover APP`.'));
  t.regex(await told(cwd, 'reload'), /no command reload.*\n.*`kill -HUP PID`/);
  t.is(await told(cwd, 'help'), no('help', 'That is `drover --help`.'));
  t.is(await told(cwd, 'check', 'app.js'), no('check', 'That is `drover --check-config app.js`.'));
});

test('one that is misspelt', async (t) => {
  const cwd = tree(t, 'app.js');
  t.is(await told(cwd, 'doctr', 'app.js'), no('doctr', 'Did you mean `drover doctor app.js`?'));
  t.is(await told(cwd, 'docter'), no('docter', 'Did you mean `drover doctor`?'));
  t.is(await told(cwd, 'strat', 'app.js'), no('strat', 'drover serves the app that it is given: `drover app.js`.'));
  t.is(await told(cwd, 'strat'), 'strat', 'alone it may be any app, which the worker looks for');
});

test('a file or a package of that name is the app', async (t) => {
  for (const file of ['start', 'start.js', 'start.mts', 'start/index.js', 'node_modules/start/package.json']) t.is(await told(tree(t, file), 'start'), 'start', file);
  const cwd = tree(t, 'sub/serve.js', 'node_modules/run/package.json');
  t.is(await told(cwd, 'serve', '--chdir', 'sub'), 'serve');
  t.is(await told(join(cwd, 'sub'), 'run'), 'run');
  t.regex(await told(tree(t, 'start.js'), 'start', 'app.js'), /^unexpected argument "app\.js": the app is "start" already/);
});

test('only where it is the first word, and no path', async (t) => {
  const cwd = tree(t);
  for (const app of ['./start', 'start.js', 'start:app']) t.is(await told(cwd, app), app);
  t.is(await told(cwd, '-w', '2', 'start'), 'start');
});

test('a word with backticks or control characters: the command can be told from the sentence, and typed', async (t) => {
  const dir = tree(t, 'a.js');
  t.regex(await told(dir, 'start', 'a.js', '-e', 'A=x`y'), /: ``drover a\.js -e 'A=x`y'``\.$/);
  t.regex(await told(dir, 'check', 'a.js', '-e', 'A=\t\u001b[31m'), /That is `drover --check-config a\.js -e 'A='\$'\\t'''\$'\\u001b''\[31m'`\.$/);
});
