#!/usr/bin/env node
/**
 * Entry of the command `drover`: begins command.ts, prints what it fails for, and exits.
 *
 * Rank 6. Imports next to nothing by itself, so that what goes wrong while the rest is loaded can be told in words too.
 */
import { outOfFiles } from '../config/out-of-files.js';
import { DroverError, EXIT_CODES, withoutControls } from '../errors.js';

void main();

async function main(): Promise<void> {
  try {
    const { run } = await import('./command.js');
    // exit(), not exitCode: nothing that a user's config file has left open may hold the process.
    process.exit(await run());
  } catch (thrown) {
    fail(thrown);
  }
}

function fail(thrown: unknown): never {
  const error = outOfFiles(thrown) ?? thrown;
  const text = error instanceof DroverError ? `drover: ${error.format()}` : error instanceof Error ? (error.stack ?? String(error)) : String(error);
  process.stderr.write(`${withoutControls(text)}\n`);
  process.exit(error instanceof DroverError ? error.exitCode : EXIT_CODES.bug.code);
}
