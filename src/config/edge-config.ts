/** What of the configuration the HTTP edge needs, as it travels to the worker: plain data, no functions. Rank 1. */
import { DroverError } from '../errors.js';
import type { Config, StaticMount } from './options.js';

export interface EdgeConfig {
  /** Absent: nothing of it is in force. */
  screen?: ScreenConfig;
  /** A client that takes nothing for so long is disconnected; absent: never. */
  writeTimeoutMs?: number;
  /** Per server; -1: as the app or Node has it. */
  timeouts?: ServerTimeouts;
  /** Absent: no access log. */
  accessLog?: AccessLogConfig;
  sendfile: boolean;
  sendfileRoot: string | null;
  static: StaticMount[];
  staticMaxAgeMs: number;
  tls: TlsConfig;
  http2: Http2Config;
}

export interface AccessLogConfig {
  /** Absolute path, or `-`. */
  file: string;
  /** `json`, or what access-log-format.ts understands. */
  format: string;
}

/** How TLS is spoken. The certificates themselves travel apart (certificates.ts). */
export interface TlsConfig {
  certReqs: Config['certReqs'];
  /** '': Node's. */
  ciphers: string;
  minVersion: Config['tlsMinVersion'];
  maxVersion: Config['tlsMaxVersion'];
  handshakeTimeoutMs: number;
}

export interface Http2Config {
  /** The preferred first. */
  protocols: Config['httpProtocols'];
  maxConcurrentStreams: number;
  initialWindowSize: number;
  maxFrameSize: number;
  /** 0: no limit. */
  maxHeaderListSize: number;
}

/** What http/screen.ts judges requests by. */
export interface ScreenConfig {
  /** `/app`; '': none. */
  mount: string;
  forwardedAllowIps: readonly string[];
  dropUntrusted: boolean;
  secureSchemeHeaders: Readonly<Record<string, string>>;
  forwarderHeaders: readonly string[];
  headerMap: Config['headerMap'];
  strict: boolean;
  requestId: Config['requestId'];
  requestIdHeader: string;
  /** 0: no limit. */
  lineBytes: number;
  fields: number;
  fieldBytes: number;
  bodyBytes: number;
  /** Every response closes its connection. */
  closes: boolean;
}

export interface ServerTimeouts {
  headerMs: number;
  requestMs: number;
  keepAliveMs: number;
}

export function edgeConfig(config: Config): EdgeConfig {
  const screen: ScreenConfig = {
    mount: mountOf(config.scriptName),
    forwardedAllowIps: config.forwardedAllowIps,
    dropUntrusted: config.untrustedHeaders === 'drop',
    secureSchemeHeaders: config.secureSchemeHeaders,
    forwarderHeaders: config.forwarderHeaders,
    headerMap: config.headerMap,
    strict: config.strictHttp,
    requestId: config.requestId,
    requestIdHeader: config.requestIdHeader,
    lineBytes: config.limitRequestLine,
    fields: config.limitRequestFields,
    fieldBytes: config.limitRequestFieldSize,
    bodyBytes: config.limitRequestBodyBytes,
    closes: config.keepAliveMs === 0,
  };
  const timeouts: ServerTimeouts = { headerMs: config.headerTimeoutMs, requestMs: config.requestTimeoutMs, keepAliveMs: config.keepAliveMs || -1 };
  const idle = screen.mount === '' && !screen.dropUntrusted && screen.headerMap === 'dangerous' && !screen.forwarderHeaders.includes('script_name') && !screen.forwarderHeaders.includes('*') && !screen.strict && screen.requestId === 'lazy' && !screen.closes && screen.lineBytes + screen.fields + screen.fieldBytes + screen.bodyBytes === 0;
  return {
    ...(idle ? {} : { screen }),
    ...(config.writeTimeoutMs === 0 ? {} : { writeTimeoutMs: config.writeTimeoutMs }),
    ...(Object.values(timeouts).every((ms) => ms === -1) ? {} : { timeouts }),
    ...(config.accessLogfile === null ? {} : { accessLog: { file: config.accessLogfile, format: config.accessLogFormat } }),
    sendfile: config.sendfile,
    sendfileRoot: config.sendfileRoot,
    static: config.static.map((mount) => ({ ...mount })),
    staticMaxAgeMs: config.staticMaxAgeMs,
    tls: {
      certReqs: config.certReqs,
      ciphers: config.ciphers,
      minVersion: config.tlsMinVersion,
      maxVersion: config.tlsMaxVersion,
      handshakeTimeoutMs: config.tlsHandshakeTimeoutMs,
    },
    http2: {
      protocols: config.httpProtocols,
      maxConcurrentStreams: config.http2MaxConcurrentStreams,
      initialWindowSize: config.http2InitialWindowSize,
      maxFrameSize: config.http2MaxFrameSize,
      maxHeaderListSize: config.http2MaxHeaderListSize,
    },
  };
}

/** `/app/` → `/app`; `/` → ''. */
function mountOf(scriptName: string): string {
  return scriptName.replace(/\/+$/, '');
}

/** What no single value tells. Throws DroverError. `where` tells where a value came from. */
export function checkEdge(config: Config, where: (name: 'scriptName' | 'requestIdHeader') => string): void {
  if (config.scriptName !== '' && !/^\/[^\s?#\\%"<>]*$/.test(config.scriptName)) {
    throw new DroverError('ERR_DROVER_VALUE', `--script-name: not a path to mount an app at: ${JSON.stringify(config.scriptName)} (${where('scriptName')})`, 'Give a path that begins with a slash, as in /app.');
  }
  if (!/^[\w!#$%&'*+.^`|~-]+$/.test(config.requestIdHeader)) {
    throw new DroverError('ERR_DROVER_VALUE', `--request-id-header: not the name of a header: ${JSON.stringify(config.requestIdHeader)} (${where('requestIdHeader')})`, 'Give a name as in X-Request-Id.');
  }
}
