/**
 * TLS in front of the app's http servers: a tls.Server of Node's per server that never listens, and is handed what was accepted. In the worker.
 */
import { createSecureContext, createServer, type SecureContext, type Server as TlsServer, type TlsOptions, type TLSSocket } from 'node:tls';
import { createHash } from 'node:crypto';
import type { Server } from 'node:http';
import type { Certificates } from '../../config/certificates.js';
import type { Http2Config, TlsConfig } from '../../config/edge-config.js';
import type { EventName } from '../../log/events.js';
import { RateLimit } from '../../log/rate-limit.js';
import { certificateFor } from './names.js';
import type { Tickets } from './tickets.js';

export interface TerminatorOptions {
  config: TlsConfig;
  protocols: Http2Config['protocols'];
  certificates: Certificates;
  tickets: Tickets;
  log: (event: EventName, fields: Record<string, unknown>) => void;
}

const ALPN = { h1: 'http/1.1', h2: 'h2' } as const;

export class Terminator {
  readonly #options: TerminatorOptions;
  /** By the name in Certificates; made when first asked for. */
  readonly #contexts = new Map<string, SecureContext>();
  readonly #failures: RateLimit<Record<string, unknown>>;

  constructor(options: TerminatorOptions) {
    this.#options = options;
    this.#failures = new RateLimit({ tell: (fields, count) => options.log('tls.handshake-failed', { count, ...fields }) });
  }

  /** `secured` is called for each connection whose handshake is done and whose client may pass. */
  serve(_server: Server, secured: (socket: TLSSocket) => void): TlsServer {
    const { config, protocols, certificates, tickets } = this.#options;
    const tls = createServer({
      ...this.#contextOptions(),
      ...certificates.default,
      requestCert: config.certReqs !== 'none',
      rejectUnauthorized: config.certReqs === 'required',
      ALPNProtocols: protocols.map((protocol) => ALPN[protocol]),
      handshakeTimeout: config.handshakeTimeoutMs,
      // A session that was begun when other clients were let in is not resumed: nobody would look at the certificate again.
      sessionIdContext: createHash('sha256').update(`${config.certReqs} ${certificates.ca}`).digest('hex').slice(0, 32),
      SNICallback: (name, done) => this.#choose(name, done),
    });
    tickets.share(tls);
    tls.on('secureConnection', (socket: TLSSocket) => {
      // Optional means that none is fine, not that any is.
      if (config.certReqs === 'optional' && !socket.authorized && socket.getPeerX509Certificate() !== undefined) {
        this.#failed(new Error(`client certificate: ${String(socket.authorizationError)}`), socket);
      } else secured(socket);
    });
    tls.on('tlsClientError', (error, socket) => this.#failed(error, socket));
    return tls;
  }

  #contextOptions(): TlsOptions {
    const { config, certificates } = this.#options;
    return {
      minVersion: config.minVersion,
      maxVersion: config.maxVersion,
      honorCipherOrder: true,
      ...(config.ciphers === '' ? {} : { ciphers: config.ciphers }),
      ...(certificates.ca === null ? {} : { ca: certificates.ca }),
    };
  }

  #choose(serverName: string, done: (error: Error | null, context?: SecureContext) => void): void {
    const { certificates } = this.#options;
    const name = certificateFor(serverName, certificates.names);
    if (name === undefined) return certificates.default === null ? done(new Error(`no certificate for ${JSON.stringify(serverName.slice(0, 255))}`)) : done(null);
    let context = this.#contexts.get(name);
    if (context === undefined) {
      context = createSecureContext({ ...this.#contextOptions(), ...certificates.names[name]! });
      this.#contexts.set(name, context);
    }
    done(null, context);
  }

  /** Scanners and clients that trust another authority are many: the log gets one line for all of a while. */
  #failed(error: NodeJS.ErrnoException & { reason?: string }, socket: TLSSocket): void {
    const address = socket.remoteAddress;
    const isSilent = socket.bytesRead === 0;
    // Node leaves that to us; it has closed the connection for some errors, not for all (a handshake that takes too long).
    socket.destroy();
    // Health checks of load balancers open a connection and close it.
    if (error.code === 'ECONNRESET' && isSilent) return;
    this.#failures.note('', { error: error.reason ?? error.message, code: error.code, address: address ?? 'a client that has gone' });
  }
}
