/**
 * Which folder of src/ may import which: the ranks of docs/architecture.md as rules.
 * A file imports its own folder and folders of strictly lower rank. Type imports count.
 */
const RANKS = [
  ['errors'],
  ['config', 'native'],
  ['ipc', 'log'],
  ['metrics'],
  ['accept', 'http', 'control'],
  ['worker', 'master'],
  ['cli', 'index'],
];

const NAMES = RANKS.flat();

/** Matches the files of these names, be they folders (src/ipc/board.ts) or single files (src/native.ts). */
const filesOf = (names) => `^src/(${names.join('|')})(/|\\.ts$)`;

const rankRules = RANKS.flatMap((names, rank) =>
  names.map((name) => ({
    name: `rank-${name}`,
    comment: `${name} has rank ${rank}: it imports itself and lower ranks only.`,
    severity: 'error',
    from: { path: filesOf([name]) },
    to: { path: filesOf(NAMES.filter((other) => other !== name && RANKS.findIndex((row) => row.includes(other)) >= rank)) },
  })),
);

module.exports = {
  forbidden: [
    ...rankRules,
    {
      name: 'no-rank',
      comment: 'Every file of src/ has a rank: give a new folder its place in RANKS and in docs/architecture.md.',
      severity: 'error',
      from: {},
      to: { path: '^src/', pathNot: filesOf(NAMES) },
    },
    {
      name: 'no-rank-importer',
      comment: 'The same for a file that nobody imports.',
      severity: 'error',
      from: { path: '^src/', pathNot: filesOf(NAMES) },
      to: {},
    },
    {
      name: 'worker-is-started-by-path',
      comment: 'Nobody imports worker: user code runs in worker processes only.',
      severity: 'error',
      from: { pathNot: filesOf(['worker']) },
      to: { path: filesOf(['worker']) },
    },
    {
      name: 'http-is-the-workers',
      comment: 'Only worker imports http, and index for sendFile(), when it is called: the master never touches a request.',
      severity: 'error',
      from: { pathNot: filesOf(['worker', 'http', 'index']) },
      to: { path: filesOf(['http']) },
    },
    {
      name: 'worker-stays-light',
      comment: 'A worker is the app and little else: what it loads, every worker pays for in memory and boot time.',
      severity: 'error',
      from: { path: '^src/worker/main\\.ts$' },
      to: { path: '^node_modules/ws/', reachable: true },
    },
    {
      name: 'worker-loads-no-logger',
      comment: 'The same for the log, which a worker loads only when its master is gone.',
      severity: 'error',
      from: { pathNot: filesOf(['master', 'cli']) },
      to: { path: '^src/log/logger\\.ts$', dependencyTypesNot: ['dynamic-import', 'type-only'] },
    },
    {
      name: 'pino-through-logger',
      comment: 'src/log/logger.ts alone loads pino.',
      severity: 'error',
      from: { pathNot: '^src/log/logger\\.ts$' },
      to: { path: '^node_modules/(pino|pino-pretty)/' },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'addon-through-native',
      comment: 'src/native.ts alone loads the addon.',
      severity: 'error',
      from: { pathNot: '^src/native\\.ts$' },
      to: { path: '\\.node$' },
    },
    {
      name: 'only-src-and-dependencies',
      comment: 'What users install is src/ and the dependencies, not test/, bench/ or a development package.',
      severity: 'error',
      from: { path: '^src/' },
      to: { pathNot: ['^src/', '^node_modules/'], dependencyTypesNot: ['core'] },
    },
    {
      name: 'no-development-packages',
      severity: 'error',
      from: { path: '^src/' },
      // `/// <reference types="node" />` is of types alone, and not told apart.
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'], pathNot: '^node_modules/@types/' },
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'default', 'types'] },
  },
};
