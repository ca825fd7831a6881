import test from 'ava';
import { usualFieldsOf } from '../../../src/http/access-log/usual-fields.js';

test('the usual fields, in any case, the first of those that come twice', (t) => {
  const fields = ['HOST', 'a', 'Host', 'b', 'User-Agent', 'c', 'referer', 'd', 'REFERER', 'e', 'Authorization', 'f', 'Refered', 'g', 'X', 'h', 'A-long-name-of-something', 'i'];
  t.deepEqual(usualFieldsOf(fields), { host: 'a', 'user-agent': 'c', referer: 'd', authorization: 'f' });
  t.deepEqual(usualFieldsOf([]), { host: undefined, 'user-agent': undefined, referer: undefined, authorization: undefined });
});
