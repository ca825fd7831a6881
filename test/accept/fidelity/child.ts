/**
 * What the fidelity test starts under each Node: `child.js plain|shared|reuseport cases|SCENARIO`. With a strategy, listen() is intercepted and
 * the master is at the other end of descriptor 3. `cases` prints what each case of cases.ts saw as one line of JSON.
 */
import net from 'node:net';
import { Channel } from '../../../src/ipc/channel.js';
import { BOARD_BYTES } from '../../../src/ipc/board.js';
import type { MasterMessage, WorkerMessage } from '../../../src/ipc/messages.js';
import type { AcceptStrategyName } from '../../../src/config/options.js';
import { installIntercept, type Intercept, type ListenAnswer } from '../../../src/accept/intercept.js';
import type { HandedSocket } from '../../../src/accept/strategy.js';
import { check, native } from '../../../src/native.js';
import type { SocketGrant } from '../../../src/ipc/messages.js';

const [strategy, what] = process.argv.slice(2) as [AcceptStrategyName | 'plain', string];

function intercept(): Intercept {
  const channel = new Channel<MasterMessage, WorkerMessage>(3, ['listening', 'listen-failed', 'siblings']);
  const board = check('mmap', native.mapMemory(check('memfd_create', native.createMemory('board', BOARD_BYTES))));
  const late: HandedSocket[] = [];
  let id = 0;
  const installed = installIntercept({
    boardBuffer: board,
    row: 0,
    slot: 0,
    ask(request): ListenAnswer {
      channel.send({ type: 'listen', id: ++id, ...request });
      // What comes while we wait is for later.
      setImmediate(() => installed.siblings(late.splice(0)));
      for (;;) {
        const received = channel.receiveSync(10_000);
        if (typeof received === 'string') throw new Error(`no answer: ${received}`);
        const { message, fds } = received;
        if (message.type === 'siblings') late.push(...handed(message.sockets, fds));
        else if (message.type === 'listening' && message.id === id) return { key: message.key, sockets: handed(message.sockets, fds) };
        else if (message.type === 'listen-failed' && message.id === id) return message;
        else throw new Error(`unexpected ${JSON.stringify(message)}`);
      }
    },
    onListening: () => undefined,
    onAcceptError: (errno) => process.stderr.write(`accept: ${errno}\n`),
    onServer: () => undefined,
    onClosed: (key) => channel.send({ type: 'closed', key }),
  });
  channel.start({
    onMessage: (message, fds) => message.type === 'siblings' && installed.siblings(handed(message.sockets, fds)),
    onClose: () => process.exit(99),
    onNonsense: (why) => process.stderr.write(`${why}\n`),
  });
  return installed;
}

function handed(sockets: SocketGrant[], fds: number[]): HandedSocket[] {
  return sockets.map((grant, index) => ({ grant, fd: fds[index]! }));
}

const installed = strategy === 'plain' ? undefined : intercept();

/** Scenarios about the process: when it ends, and how. */
const SCENARIOS: Record<string, () => void | Promise<void>> = {
  async cases() {
    const { runCases } = await import('./cases.js');
    process.stdout.write(JSON.stringify(await runCases()));
    process.exit(0);
  },
  async binds() {
    process.stdout.write(JSON.stringify(await (await import('./binds.js')).binds(installed!)));
    process.exit(0);
  },
  address() {
    const server = net.createServer().listen(0);
    process.stdout.write(String(server.address()));
    server.close();
  },
  async drain() {
    process.stdout.write(JSON.stringify(await (await import('./drain.js')).drain(installed!)));
    process.exit(0);
  },
  'unref-before-listen'() {
    net.createServer().unref().listen(0);
  },
  'unref-after-listen'() {
    net.createServer().listen(0, function (this: net.Server) {
      this.unref();
    });
  },
  'ref-after-unref'() {
    const server = net.createServer().unref().listen(0, () => {
      server.ref();
      // Unreferenced: were it not for the server, the process would end before it.
      setTimeout(() => process.exit(7), 300).unref();
    });
  },
  'close-ends'() {
    const server = net.createServer().listen(0, () => server.close(() => process.stdout.write('closed')));
  },
  'error-unhandled'() {
    const taken = net.createServer().listen({ port: 0, exclusive: true }, () => {
      net.createServer().listen((taken.address() as net.AddressInfo).port);
    });
  },
};

await SCENARIOS[what]!();
