/**
 * What proxies tell of those before them: the elements of Forwarded (RFC 7239), and the nodes named there and in X-Forwarded-For. Pure. In the
 * worker.
 */
import { isIP } from 'node:net';
import { ipv4Of } from '../config/address-set.js';

/** One proxy's statement; parameters by their names in lower case. */
export type ForwardedElement = ReadonlyMap<string, string>;

const PAIR = /[ \t]*([\w!#$%&'*+.^`|~-]+)=(?:([\w!#$%&'*+.^`|~-]+)|"((?:[\t !#-[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*)")[ \t]*/y;

/** The elements in their order; undefined: malformed. Empty elements are allowed, and left out. */
export function parseForwarded(text: string): ForwardedElement[] | undefined {
  const elements: ForwardedElement[] = [];
  let element = new Map<string, string>();
  for (let at = 0; ; ) {
    PAIR.lastIndex = at;
    const match = PAIR.exec(text);
    if (match !== null) {
      const [all, name, token, quoted] = match;
      const key = name!.toLowerCase();
      if (element.has(key)) return undefined;
      element.set(key, token ?? quoted!.replace(/\\(.)/gs, '$1'));
      at += all.length;
    } else {
      while (text[at] === ' ' || text[at] === '\t') at++;
    }
    if (at < text.length && text[at] !== ',' && text[at] !== ';') return undefined;
    if (at >= text.length || text[at] === ',') {
      if (element.size > 0) elements.push(element);
      element = new Map();
      if (at >= text.length) return elements;
    }
    at++;
  }
}

export interface Node {
  /** An address, `unknown` or an obfuscated identifier. */
  address: string;
  port: number | undefined;
}

/** `1.2.3.4`, `1.2.3.4:80`, `::1`, `[::1]:80`, `unknown`, `_hidden`, `_hidden:_port`; undefined: none of these. */
export function parseNode(text: string): Node | undefined {
  if (ipv4Of(text) !== undefined || isIP(text) !== 0) return { address: text, port: undefined };
  const [, inBrackets, plain, port] = /^(?:\[([\da-f:.]+)\]|([\d.]+|unknown|_[\w.-]+))(?::(\d{1,5}|_[\w.-]+))?$/i.exec(text) ?? [];
  const address = inBrackets ?? plain;
  if (address === undefined) return undefined;
  if (inBrackets !== undefined ? isIP(address) !== 6 : /^\d/.test(address) && isIP(address) !== 4) return undefined;
  return { address, port: port === undefined || port.startsWith('_') || Number(port) > 65535 ? undefined : Number(port) };
}

/** A node of a chain and its place there. */
export interface Found extends Node {
  index: number;
}

/**
 * The client among the nodes that a trusted peer sent: from the right, the first that is not trusted; if all are, the first of all. What is no node ends
 * the walk: who wrote it is not to be believed. undefined: the peer is all there is.
 */
export function clientOf(nodes: readonly (string | undefined)[], trusts: (address: string) => boolean): Found | undefined {
  let found: Found | undefined;
  for (let index = nodes.length - 1; index >= 0; index--) {
    const text = nodes[index];
    const node = text === undefined ? undefined : parseNode(text);
    if (node === undefined) return found;
    found = { ...node, index };
    if (!trusts(node.address)) return found;
  }
  return found;
}

/** The same of the text of X-Forwarded-For, and only the address: what a line of the access log asks for. */
export function clientIn(text: string, trusts: (address: string) => boolean): string | undefined {
  // Most proxies send one address.
  if (ipv4Of(text) !== undefined) return text;
  let found: string | undefined;
  for (let end = text.length; ; ) {
    const comma = end === 0 ? -1 : text.lastIndexOf(',', end - 1);
    const piece = text.slice(comma + 1, end).trim();
    const address = ipv4Of(piece) === undefined ? parseNode(piece)?.address : piece;
    if (address === undefined) return found;
    found = address;
    if (comma === -1 || !trusts(address)) return found;
    end = comma;
  }
}
