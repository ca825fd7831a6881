import test from 'ava';
import { chooseSteering, type SteeringMeans } from '../../src/accept/steering/choose.js';
import { DroverError } from '../../src/errors.js';

const EINVAL = -22;
const means = { kernelReadable: 0, boardFd: -1, exclusiveWorks: 0 } as SteeringMeans;

test('source: without EPOLLEXCLUSIVE siblings would take what is not theirs: refused, with what to do', (t) => {
  t.is(chooseSteering('source', means).name, 'source');
  const error = t.throws(() => chooseSteering('source', { ...means, exclusiveWorks: EINVAL }), { instanceOf: DroverError, code: 'ERR_DROVER_VALUE' });
  t.regex(error.format(), /--steer source .*EPOLLEXCLUSIVE \(EINVAL\)\n.*--steer auto/s);
});
