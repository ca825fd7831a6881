import test from 'ava';
import { parseMount, stripMount } from '../../src/http/mount.js';

test('a target below the mount loses it, by whole segments', (t) => {
  t.is(stripMount('/app/x?y=/app', '/app'), '/x?y=/app');
  t.is(stripMount('/app', '/app'), '/');
  t.is(stripMount('/app/', '/app'), '/');
  t.is(stripMount('/app?q', '/app'), '/?q');
  t.is(stripMount('/app//x', '/app'), '//x');
  t.is(stripMount('/a/b/c', '/a/b'), '/c');
});

test('outside the mount there is nothing', (t) => {
  for (const target of ['/', '/apple', '/ap', '/App/x', '//app/x', '/x/app', '/%61pp/x']) t.is(stripMount(target, '/app'), undefined, target);
  t.is(stripMount('/apple', '/ap'), undefined);
});

test('other forms of a target', (t) => {
  t.is(stripMount('http://x/app/y?z', '/app'), 'http://x/y?z');
  t.is(stripMount('http://x/app', '/app'), 'http://x/');
  t.is(stripMount('http://x/apple', '/app'), undefined);
  t.is(stripMount('http://x', '/app'), undefined);
  t.is(stripMount('*', '/app'), '*');
  t.is(stripMount('x:443', '/app'), 'x:443');
});

test('what a header may name as a mount', (t) => {
  t.is(parseMount('/app'), '/app');
  t.is(parseMount('/app//'), '/app');
  t.is(parseMount('/'), '');
  t.is(parseMount(''), '');
  t.is(parseMount('/a%20b/~c'), '/a%20b/~c');
  for (const text of ['app', '//evil', '/a?b', '/a#b', '/a b', '/a\\b', '/a"', '/a<b>', 'http://x/a', '/é']) t.is(parseMount(text), undefined, text);
});
