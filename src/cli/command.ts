/**
 * The command `drover`: argv → what to do → exit code. In the master's process, begun by main.ts; serving itself is src/master/.
 *
 * Rank 6. What only some actions need is imported by them, so that --help is quick.
 */
import { readFileSync, statSync } from 'node:fs';
import { loadConfig, type LoadedConfig, type LoadInput } from '../config/load.js';
import { DroverError, EXIT_CODES } from '../errors.js';
import { bearLostReaders } from '../log/lost-reader.js';

/** Answers the exit code; rejects with a DroverError that is to be printed. */
export async function run(): Promise<number> {
  // `drover --help | head -1`: the reader may leave early.
  bearLostReaders();
  let cwd: string | undefined;
  const input: LoadInput = {
    argv: process.argv.slice(2),
    env: process.env,
    get cwd() {
      return (cwd ??= startDirectory());
    },
    onConfigFileLong: sayWaits,
  };
  const loaded = await loadConfig(input);
  switch (loaded.action) {
    case 'help': {
      const { renderHelp } = await import('../config/render.js');
      process.stdout.write(renderHelp());
      return EXIT_CODES.ok.code;
    }
    case 'version':
      process.stdout.write(`drover ${packageVersion()} (Node ${process.versions.node})\n`);
      return EXIT_CODES.ok.code;
    case 'printConfig':
      await printConfig(loaded);
      return EXIT_CODES.ok.code;
    case 'checkConfig': {
      // First: it helps with what the check then finds.
      if (loaded.prints) await printConfig(loaded);
      process.chdir(loaded.config.chdir);
      const { checkAccessLogFile, checkLogFile } = await import('../master/log-files.js');
      checkLogFile(loaded);
      checkAccessLogFile(loaded);
      if (loaded.config.pidfile !== null) new (await import('../master/pidfile.js')).Pidfile(loaded.config.pidfile, loaded.sources.pidfile.where).check();
      if (loaded.bindGiven) await (await import('../accept/try-bind.js')).tryBinds(loaded.config.bind);
      const { checkApp } = await import('../master/check-app.js');
      await checkApp(loaded);
      const { formatExpiries } = await import('../master/certificates.js');
      const { unknownVariables } = await import('../config/unknown-variables.js');
      for (const { variable, remedy } of unknownVariables(process.env)) process.stderr.write(`warning: environment variable ${variable} does nothing: ${remedy}\n`);
      for (const mistake of loaded.covered) process.stderr.write(`warning: ${mistake}\n`);
      for (const line of formatExpiries(loaded)) process.stderr.write(`warning: ${line}\n`);
      process.stdout.write(`the options are right and ${loaded.config.app} loads\n`);
      return EXIT_CODES.ok.code;
    }
    case 'doctor': {
      process.chdir(loaded.config.chdir);
      const { examine } = await import('./doctor/doctor.js');
      const { text, exitCode } = await examine(loaded, loaded.json, process.stdout.isTTY ? process.stdout.columns : undefined);
      await new Promise<void>((resolve) => process.stdout.write(text, () => resolve()));
      return exitCode;
    }
    case 'serve': {
      // Relative paths of unix sockets stay as they are given (they are bound relative, for their length is limited).
      process.chdir(loaded.config.chdir);
      const { serve } = await import('../master/main.js');
      return await serve(loaded, (reload) => loadConfig({ ...input, ...reload }));
    }
  }
}

/** No log is open yet. */
function sayWaits(configFile: string): void {
  process.stderr.write(`drover: waits for config file ${configFile}: a top-level await in it, or the promise that it exports or returns, has not settled yet\n`);
}

async function printConfig(loaded: LoadedConfig): Promise<void> {
  const { renderConfig } = await import('../config/render.js');
  process.stdout.write(renderConfig(loaded));
}

/**
 * The working directory as the shell sees it: where that is a link (`current` → the newest release), a reload shall follow it, while
 * process.cwd() has it resolved already.
 */
function startDirectory(): string {
  const cwd = workingDirectory();
  const { PWD } = process.env;
  if (PWD === undefined || !PWD.startsWith('/')) return cwd;
  try {
    const [logical, physical] = [statSync(PWD), statSync(cwd)];
    return logical.ino === physical.ino && logical.dev === physical.dev ? PWD : cwd;
  } catch {
    // Of before a change of user: this one may not look there, or it is gone.
    return cwd;
  }
}

function workingDirectory(): string {
  try {
    return process.cwd();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new DroverError('ERR_DROVER_VALUE', `the working directory is gone (${code})`, 'Start drover in a directory that exists; where one of the same name has been made anew, `cd "$PWD"` goes there.');
  }
}

function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as { version: string };
  return version;
}
