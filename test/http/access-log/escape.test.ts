import test from 'ava';
import { escapeText, escapeWord, jsonText } from '../../../src/http/access-log/escape.js';
import { bytesOf } from './support.js';

// What a client sends, as Node hands it over; what a text format has of it; what JSON.parse makes of the JSON.
for (const [what, value, text, json] of [
  ['nothing', '', '', ''],
  ['printable ASCII', ' !#$%&\'()*+,-./09:;<=>?@AZ[]^_`az{|}~', ' !#$%&\'()*+,-./09:;<=>?@AZ[]^_`az{|}~', ' !#$%&\'()*+,-./09:;<=>?@AZ[]^_`az{|}~'],
  ['a forged line', 'x"\r\n127.0.0.1 - - "GET /', 'x\\"\\x0d\\x0a127.0.0.1 - - \\"GET /', 'x"\r\n127.0.0.1 - - "GET /'],
  ['a backslash before the closing quote', 'x\\', 'x\\\\', 'x\\'],
  ['an escape that is none', '\\x0a\\"', '\\\\x0a\\\\\\"', '\\x0a\\"'],
  ['controls', '\0\x01\t\x1b[2J\x7f', '\\x00\\x01\\x09\\x1b[2J\\x7f', '\0\x01\t\x1b[2J\x7f'],
  ['valid UTF-8', bytesOf('é€😀'), bytesOf('é€😀'), 'é€😀'],
  ['C1 controls in UTF-8', bytesOf('a\x85\x9b1m'), 'a\\xc2\\x85\\xc2\\x9b1m', 'a\x85\x9b1m'],
  ['separators some take for line ends', bytesOf('a\u2028b\u2029'), 'a\\xe2\\x80\\xa8b\\xe2\\x80\\xa9', 'a\u2028b\u2029'],
  ['Latin-1 bytes', 'caf\xe9', 'caf\\xe9', 'caf\\xe9'],
  ['a C1 byte by itself', '\x9b1m', '\\x9b1m', '\\x9b1m'],
  ['an overlong newline', '\xc0\x8a', '\\xc0\\x8a', '\\xc0\\x8a'],
  ['a surrogate', '\xed\xa0\x80', '\\xed\\xa0\\x80', '\\xed\\xa0\\x80'],
  ['UTF-8 cut short', bytesOf('€').slice(0, 2), '\\xe2\\x82', '\\xe2\\x82'],
  ['text that is no byte string', '→"', `${bytesOf('→')}\\"`, '→"'],
] as const) {
  test(`${what}: escaped in text, kept in JSON`, (t) => {
    t.is(escapeText(value), text);
    t.is(escapeWord(value), text.replaceAll(' ', '\\x20'));
    const output = jsonText(value);
    t.is(JSON.parse(Buffer.from(output, 'latin1').toString('utf8')), json);
    for (const line of [escapeText(value), output]) {
      const printed = Buffer.from(line, 'latin1').toString('utf8');
       
      t.notRegex(printed, /[\0-\x1f\x7f-\x9f\u2028\u2029\ufffd]/);
    }
  });
}

test('no byte whatever ends a field or a line', (t) => {
  for (let byte = 0; byte < 256; byte++) {
    const escaped = escapeText(String.fromCharCode(byte));
    t.regex(escaped, /^(?:[ !#-[\]-~]|\\["\\]|\\x[0-9a-f]{2})$/);
  }
});
