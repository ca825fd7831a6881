import test from 'ava';
import { outOfFiles } from '../../src/config/out-of-files.js';

const failure = (code: string): Error => Object.assign(new Error('failed'), { code });

test('a process that is out of files is told its limit, a machine that is out of them the setting', (t) => {
  const own = outOfFiles(failure('EMFILE'))!;
  t.like(own, { code: 'ERR_DROVER_OPEN_FILES', exitCode: 9 });
  t.regex(own.message, /\bthe \d+ open files/);
  const machine = outOfFiles(failure('ENFILE'))!;
  t.like(machine, { code: 'ERR_DROVER_OPEN_FILES', exitCode: 9 });
  t.regex(machine.remedy!, /fs\.file-max/);
});

test('anything else is not for want of files, nor is a missing module where there are enough', (t) => {
  for (const code of ['ENOENT', 'ERR_MODULE_NOT_FOUND']) t.is(outOfFiles(failure(code)), undefined);
  t.is(outOfFiles(undefined), undefined);
});
