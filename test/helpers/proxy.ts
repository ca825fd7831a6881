/** A proxy that sends PROXY headers: the headers, and connections written to byte for byte. */
import net, { isIPv6 } from 'node:net';
import type { ExecutionContext } from 'ava';
import type { Address } from './drover.js';

export interface Client {
  address: string;
  port: number;
  localAddress: string;
  localPort: number;
}

export const CLIENT: Client = { address: '203.0.113.7', port: 4711, localAddress: '198.51.100.1', localPort: 443 };
export const CLIENT_6: Client = { address: '2001:db8::7', port: 4711, localAddress: '2001:db8::1', localPort: 443 };

export function v1({ address, port, localAddress, localPort }: Client = CLIENT): Buffer {
  return Buffer.from(`PROXY TCP${isIPv6(address) ? 6 : 4} ${address} ${localAddress} ${port} ${localPort}\r\n`);
}

/** `tlvs`: bytes of them. */
export function v2({ address, port, localAddress, localPort }: Client = CLIENT, tlvs = 0): Buffer {
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(port, 0);
  ports.writeUInt16BE(localPort, 2);
  return v2Of(0x21, isIPv6(address) ? 0x21 : 0x11, Buffer.concat([bytesOf(address), bytesOf(localAddress), ports, Buffer.alloc(tlvs, 4)]));
}

export function v2Of(command: number, family: number, body: Buffer): Buffer {
  const head = Buffer.from([...Buffer.from('\r\n\r\n\0\r\nQUIT\n'), command, family, 0, 0]);
  head.writeUInt16BE(body.length, 14);
  return Buffer.concat([head, body]);
}

export const UNKNOWN = Buffer.from('PROXY UNKNOWN ::1 ::1 1 2\r\n');
export const LOCAL = v2Of(0x20, 0, Buffer.alloc(0));

function bytesOf(address: string): Buffer {
  if (!isIPv6(address)) return Buffer.from(address.split('.').map(Number));
  const [head = '', tail = ''] = address.split('::').map((half) => half.split(':').filter(Boolean).map((group) => group.padStart(4, '0')).join(''));
  return Buffer.from(head + '0'.repeat(32 - head.length - tail.length) + tail, 'hex');
}

/** A connection to drover, destroyed when the test ends. Errors are for whoever waits for its end. */
export function dial(t: ExecutionContext<any>, address: Address): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(address as net.NetConnectOpts);
    t.teardown(() => socket.destroy());
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
    socket.on('error', () => {});
  });
}

/** All that comes until the connection ends, however it ends. */
export function rest(socket: net.Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
    if (socket.closed) resolve(text);
    else socket.once('close', () => resolve(text));
  });
}

export function request(path = '/', connection = 'close'): Buffer {
  return Buffer.from(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: ${connection}\r\n\r\n`);
}

/** The JSON that the fixture peer.cjs answers with, of each response. */
export function told(text: string): Record<string, unknown>[] {
  return [...text.matchAll(/\{"[^}]*\}/g)].map(([json]) => JSON.parse(json) as Record<string, unknown>);
}
