import test from 'ava';
import { unknownVariables } from '../../src/config/unknown-variables.js';

const remedyOf = (variable: string, value = '4'): string | undefined => unknownVariables({ [variable]: value })[0]?.remedy;

test('a variable that is none of drover’s: what is meant', (t) => {
  t.deepEqual(unknownVariables({ DROVER_CMD_ARG: '-w 4', PATH: '/', MY_DROVER_X: '' }), [{ variable: 'DROVER_CMD_ARG', remedy: 'did you mean DROVER_CMD_ARGS?' }]);
  t.is(remedyOf('DROVER_KEYFILE_PASSWD'), 'did you mean DROVER_KEYFILE_PASSWORD?');
  t.is(remedyOf('DROVER_WORKERS'), 'did you mean WEB_CONCURRENCY?');
  t.is(remedyOf('DROVER_GRACEFUL_TIMEOUT'), 'give DROVER_CMD_ARGS="--graceful-timeout TIME"');
  t.is(remedyOf('DROVER_APP'), 'give DROVER_CMD_ARGS="APP"');
  t.regex(remedyOf('DROVER_SOMETHING')!, /DROVER_CMD_ARGS takes flags/);
});

test('those there are, and what Kubernetes sets for a service of that name', (t) => {
  for (const variable of ['DROVER_CMD_ARGS', 'DROVER_KEYFILE_PASSWORD', 'DROVER_ADDON', 'DROVER_SERVICE_HOST', 'DROVER_WEB_SERVICE_PORT_HTTP', 'DROVER_PORT_80_TCP_ADDR']) t.is(remedyOf(variable), undefined, variable);
  t.is(remedyOf('DROVER_PORT', 'tcp://10.0.0.1:80'), undefined);
});
