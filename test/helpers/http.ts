/** Asks drover over the wire: one request, one answer. */
import http from 'node:http';
import https from 'node:https';
import type { Address } from './drover.js';

export interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: string;
  /** The client's end of the connection, as the server sees its peer. */
  localPort: number | undefined;
}

export interface GetOptions {
  agent?: http.Agent;
  tls?: boolean;
  method?: string;
  headers?: Record<string, string>;
  body?: Buffer;
  /** The client's own address. */
  localAddress?: string;
  /** An answer later than this is an error. */
  timeoutMs?: number;
  /** Called when the connection stands. */
  onConnected?: (localPort: number | undefined) => void;
}

/** One request; a new connection unless an agent is given. Rejects for whatever a client would call a lost request. */
export function get(address: Address, path = '/', options: GetOptions = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = (options.tls === true ? https : http).request({
      ...address,
      path,
      method: options.method ?? 'GET',
      headers: options.headers ?? {},
      agent: options.agent ?? false,
      ...(options.localAddress === undefined ? {} : { localAddress: options.localAddress }),
      ...(options.tls === true ? { rejectUnauthorized: false } : {}),
    });
    const timer = setTimeout(() => request.destroy(new Error(`no answer to ${path} in time`)), options.timeoutMs ?? 30_000);
    let localPort: number | undefined;
    request.on('socket', (socket) => {
      const connected = (): void => {
        localPort = socket.localPort;
        options.onConnected?.(localPort);
      };
      if (socket.connecting) socket.once('connect', connected);
      else connected();
    });
    request.on('response', (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => (body += text));
      response.on('error', reject);
      response.on('close', () => {
        clearTimeout(timer);
        if (response.complete) resolve({ status: response.statusCode ?? 0, headers: response.headers, body, localPort });
        else reject(new Error(`premature end of the answer to ${path}`));
      });
    });
    request.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    request.end(options.body);
  });
}
