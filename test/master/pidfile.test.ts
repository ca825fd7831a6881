import test from 'ava';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, closeSync, existsSync, lstatSync, mkdirSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DroverError } from '../../src/errors.js';
import { Pidfile } from '../../src/master/pidfile.js';

function scratch(t: { teardown: (done: () => void) => void }): string {
  const dir = mkdtempSync(join(tmpdir(), 'drover-pid-'));
  t.teardown(() => rmSync(dir, { recursive: true }));
  return dir;
}

/** The id of a process that has ended. */
function deadPid(): number {
  return spawnSync(process.execPath, ['-e', '']).pid;
}

test('holds our pid while we run, leaves nothing beside itself, and goes', (t) => {
  const dir = scratch(t);
  const file = new Pidfile(join(dir, 'pid'), 'flag -p');
  file.write();
  t.is(readFileSync(file.path, 'utf8'), `${process.pid}\n`);
  t.deepEqual(readdirSync(dir), ['pid']);
  file.remove();
  t.false(existsSync(file.path));
});

test.serial('anybody may read it, whatever the umask, also where it replaces one that only its owner could', (t) => {
  const path = join(scratch(t), 'pid');
  writeFileSync(path, `${deadPid()}\n`, { mode: 0o600 });
  const before = process.umask(0o077);
  try {
    new Pidfile(path, 'flag -p').write();
  } finally {
    process.umask(before);
  }
  t.is(statSync(path).mode & 0o777, 0o644);
});

(process.getuid!() === 0 ? test.serial : test.serial.skip)("another user's that is stale is replaced; where only its owner may do so, that is said", (t) => {
  const dir = scratch(t);
  const path = join(dir, 'pid');
  const file = new Pidfile(path, 'flag -p');
  const asNobody = (act: () => void): void => {
    process.seteuid!(65534);
    try {
      act();
    } finally {
      process.seteuid!(0);
    }
  };
  writeFileSync(path, `${deadPid()}\n`);
  chmodSync(dir, 0o1777);
  for (const act of [() => file.check(), () => file.write()]) {
    asNobody(() => {
      const error = t.throws(act, { instanceOf: DroverError });
      t.is(error?.format(), `--pidfile ${path} is another user's, in a directory where only its owner may replace it (flag -p)\n  Remove it as that user or as root, or give another path.`);
    });
  }
  t.deepEqual(readdirSync(dir), ['pid']);
  chmodSync(dir, 0o777);
  asNobody(() => {
    file.check();
    file.write();
  });
  t.is(readFileSync(path, 'utf8'), `${process.pid}\n`);
});

test.serial('what others have put in the place of its temporary file is not written', (t) => {
  const dir = scratch(t);
  const [path, victim] = [join(dir, 'pid'), join(dir, 'victim')];
  writeFileSync(victim, 'precious', { mode: 0o600 });
  const { random } = Math;
  Math.random = () => 0.5;
  try {
    symlinkSync(victim, `${path}.i`);
    symlinkSync(victim, `${path}.${process.pid}`);
    const error = t.throws(() => new Pidfile(path, 'flag -p').write(), { instanceOf: DroverError });
    t.regex(String(error?.message), /cannot be written: file already exists/);
  } finally {
    Math.random = random;
  }
  t.deepEqual(readdirSync(dir).sort(), ['pid.i', `pid.${process.pid}`, 'victim'].sort());
  new Pidfile(path, 'flag -p').write();
  t.is(readFileSync(path, 'utf8'), `${process.pid}\n`);
  t.true(lstatSync(path).isFile());
  t.is(readFileSync(victim, 'utf8'), 'precious');
  t.is(statSync(victim).mode & 0o777, 0o600);
});

test('that of a dead master is replaced', (t) => {
  const path = join(scratch(t), 'pid');
  writeFileSync(path, `${deadPid()}\n`);
  new Pidfile(path, 'flag -p').write();
  t.is(readFileSync(path, 'utf8'), `${process.pid}\n`);
});

for (const text of ['', ' \n', '0', '99999999999999', '\0\0\0\0']) {
  test(`one that holds ${JSON.stringify(text)} is replaced`, (t) => {
    const path = join(scratch(t), 'pid');
    writeFileSync(path, text);
    new Pidfile(path, 'flag -p').write();
    t.is(readFileSync(path, 'utf8'), `${process.pid}\n`);
  });
}

for (const text of ['{"name":"precious"}\n', 'no number', '-1', '12 34', '1'.repeat(1000)]) {
  test(`a file that holds ${JSON.stringify(text.slice(0, 30))} is no pid file: it is refused, by a check as well, and stays`, (t) => {
    const dir = scratch(t);
    const path = join(dir, 'pkg.json');
    writeFileSync(path, text);
    symlinkSync('pkg.json', join(dir, 'link'));
    for (const given of [path, join(dir, 'link')]) {
      const file = new Pidfile(given, 'flag -p');
      for (const act of [() => file.check(), () => file.write()]) {
        const error = t.throws(act, { instanceOf: DroverError });
        t.is(error?.code, 'ERR_DROVER_PIDFILE');
        t.is(error?.format(), `--pidfile ${given} is no pid file: it holds something else (flag -p)\n  Give another path, or remove the file if nobody needs it.`);
      }
      file.remove();
    }
    t.is(readFileSync(path, 'utf8'), text);
    t.deepEqual(readdirSync(dir), ['link', 'pkg.json']);
  });
}

test('a device, a pipe and a directory are neither replaced nor read, whether named or linked to', (t) => {
  const dir = scratch(t);
  execFileSync('mkfifo', [join(dir, 'pipe')]);
  mkdirSync(join(dir, 'directory'));
  symlinkSync('/dev/zero', join(dir, 'device'));
  symlinkSync('directory', join(dir, 'link'));
  for (const [name, says] of [['pipe', 'is no regular file'], ['device', 'is no regular file'], ['directory', 'cannot be written: it is a directory'], ['link', 'cannot be written: it is a directory']] as const) {
    const file = new Pidfile(join(dir, name), 'flag -p');
    for (const act of [() => file.check(), () => file.write()]) t.is(t.throws(act, { instanceOf: DroverError })?.message, `--pidfile ${file.path} ${says} (flag -p)`);
    file.remove();
  }
  t.deepEqual(readdirSync(dir), ['device', 'directory', 'link', 'pipe']);
});

test('a link to a file that is not there gives way to the pid file', (t) => {
  const dir = scratch(t);
  symlinkSync('nowhere', join(dir, 'pid'));
  const file = new Pidfile(join(dir, 'pid'), 'flag -p');
  file.check();
  file.write();
  t.is(readFileSync(file.path, 'utf8'), `${process.pid}\n`);
  t.deepEqual(readdirSync(dir), ['pid']);
});

test('that of a live process is refused, and stays', (t) => {
  const path = join(scratch(t), 'pid');
  writeFileSync(path, `${process.ppid}\n`);
  const error = t.throws(() => new Pidfile(path, 'flag -p').write(), { instanceOf: DroverError });
  t.is(error?.code, 'ERR_DROVER_PIDFILE');
  t.true(error?.message.includes(String(process.ppid)) && error.message.includes(path));
  t.is(readFileSync(path, 'utf8'), `${process.ppid}\n`);
});

test('what it names is told, and whether that is a master', async (t) => {
  const path = join(scratch(t), 'pid');
  const refused = async (title: string): Promise<string> => {
    const child = spawn(process.execPath, ['-e', `process.title = ${JSON.stringify(title)}; console.log(); setInterval(() => {}, 1e6)`], { stdio: ['ignore', 'pipe', 'inherit'] });
    t.teardown(() => child.kill('SIGKILL'));
    await once(child.stdout, 'data');
    writeFileSync(path, `${child.pid}\n`);
    return t.throws(() => new Pidfile(path, 'flag -p').write(), { instanceOf: DroverError })!.format().replaceAll(String(child.pid), 'PID').replaceAll(path, 'PATH');
  };
  t.is(
    await refused('another program'),
    "--pidfile PATH names another program (pid PID), which is running and is no master of drover (flag -p)\n  Remove the file if it is stale; if it is that program's, give another --pidfile.",
  );
  t.is(
    await refused('drover: master [shop]'),
    '--pidfile PATH names drover: master [shop] (pid PID), which is running (flag -p)\n  Stop that drover first, or give this one another --pidfile.',
  );
});

test('one that a live process came too late to have written is replaced, unless that is a master', async (t) => {
  const path = join(scratch(t), 'pid');
  const holds = async (title: string): Promise<void> => {
    const child = spawn(process.execPath, ['-e', `process.title = ${JSON.stringify(title)}; console.log(); setInterval(() => {}, 1e6)`], { stdio: ['ignore', 'pipe', 'inherit'] });
    t.teardown(() => child.kill('SIGKILL'));
    await once(child.stdout, 'data');
    writeFileSync(path, `${child.pid}\n`);
    utimesSync(path, 0, Date.now() / 1000 - 3600);
  };
  await holds('another program');
  new Pidfile(path, 'flag -p').write();
  t.is(readFileSync(path, 'utf8'), `${process.pid}\n`);
  await holds('drover: master [shop]');
  t.throws(() => new Pidfile(path, 'flag -p').write(), { code: 'ERR_DROVER_PIDFILE' });
});

test('a name as long as one may be', (t) => {
  const dir = scratch(t);
  for (const name of ['n'.repeat(255), `${'界'.repeat(84)}pid`, `${'🐑'.repeat(63)}pid`]) {
    t.is(Buffer.byteLength(name), 255);
    const file = new Pidfile(join(dir, name), 'flag -p');
    file.write();
    t.deepEqual(readdirSync(dir), [name]);
    file.remove();
    t.deepEqual(readdirSync(dir), []);
  }
});

test('one that cannot be written says why', (t) => {
  const dir = scratch(t);
  writeFileSync(join(dir, 'app.js'), '');
  for (const [path, why] of [[join(dir, 'no/pid'), `there is no directory ${join(dir, 'no')}`], [join(dir, 'app.js/no/pid'), `${join(dir, 'app.js')} is no directory`], [dir, 'it is a directory'], [join(dir, 'n'.repeat(256)), 'its name is too long']] as const) {
    t.is(t.throws(() => new Pidfile(path, 'flag -p').write(), { instanceOf: DroverError })?.message, `--pidfile ${path} cannot be written: ${why} (flag -p)`);
  }
});

test('a check writes nothing, minds no running master, and says what is wrong with the place and where it came from', (t) => {
  const dir = scratch(t);
  new Pidfile(join(dir, 'pid'), 'flag -p').check();
  t.deepEqual(readdirSync(dir), []);
  writeFileSync(join(dir, 'pid'), `${process.ppid}\n`);
  t.notThrows(() => new Pidfile(join(dir, 'pid'), 'flag -p').check());
  for (const [path, why] of [[join(dir, 'no', 'pid'), `there is no directory ${join(dir, 'no')}`], [join(dir, 'pid', 'pid'), `${join(dir, 'pid')} is no directory`], [dir, 'it is a directory']] as const) {
    const error = t.throws(() => new Pidfile(path, 'flag -p').check(), { instanceOf: DroverError });
    t.is(error?.code, 'ERR_DROVER_PIDFILE');
    t.is(error?.message, `--pidfile ${path} cannot be written: ${why} (flag -p)`);
  }
});

test('one that holds another pid by now is not ours to remove', (t) => {
  const file = new Pidfile(join(scratch(t), 'pid'), 'flag -p');
  file.write();
  writeFileSync(file.path, '12\n');
  file.remove();
  t.is(readFileSync(file.path, 'utf8'), '12\n');
});

test('removing does not throw when the directory is gone or closed', (t) => {
  const dir = scratch(t);
  const file = new Pidfile(join(dir, 'pid'), 'flag -p');
  t.notThrows(() => file.remove());
  file.write();
  chmodSync(dir, 0o500);
  t.notThrows(() => file.remove());
  chmodSync(dir, 0o700);
});

test('a link stays, and what it leads to is the pid file; a link to what a process has open is refused', (t) => {
  const dir = scratch(t);
  const [link, target] = [join(dir, 'link'), join(dir, 'target')];
  writeFileSync(target, `${deadPid()}\n`);
  symlinkSync('target', link);
  const file = new Pidfile(link, 'flag -p');
  file.check();
  file.write();
  t.is(readFileSync(target, 'utf8'), `${process.pid}\n`);
  t.deepEqual(readdirSync(dir), ['link', 'target']);
  file.remove();
  t.deepEqual(readdirSync(dir), ['link']);

  writeFileSync(target, '');
  const fd = openSync(target, 'r');
  symlinkSync(`/proc/self/fd/${fd}`, join(dir, 'stdout'));
  symlinkSync('stdout', join(dir, 'further'));
  for (const name of ['stdout', 'further']) {
    const open = new Pidfile(join(dir, name), 'flag -p');
    for (const act of [() => open.check(), () => open.write()]) t.regex(t.throws(act, { instanceOf: DroverError })!.message, /is no regular file/);
    open.remove();
  }
  closeSync(fd);
  t.deepEqual(readdirSync(dir), ['further', 'link', 'stdout', 'target']);
});
