/**
 * What drover knows of a request, as `req.drover` has it: types only. http/request-info.ts makes it; docs/http-edge.md says the same to users.
 *
 * Rank 1.
 */

export interface RequestInfo {
  /** What the client speaks: told by a trusted proxy, else what the socket is. */
  readonly scheme: 'http' | 'https';
  /**
   * The client's address. Behind trusted proxies the first one, from the right, that is not theirs; then it may also be `unknown` or an
   * obfuscated identifier (`_name`, RFC 7239), where a proxy says so. '' for a peer at a unix socket that names none, or one that has gone.
   */
  readonly clientAddress: string;
  /** Where it is known. */
  readonly clientPort: number | undefined;
  /** Host, with a port where it has one, as the client asked for it; '' when it named none. */
  readonly host: string;
  /** Port the client connected to, as far as `host`, a trusted proxy or the scheme tell. */
  readonly port: number;
  /** The other end of the socket (with the PROXY protocol: what that says); '' for a unix socket. */
  readonly peerAddress: string;
  readonly peerPort: number | undefined;
  /** Whether the peer's forwarding headers are believed. */
  readonly trusted: boolean;
  /** Id of the request: a trusted peer's, else one made when this is first read. */
  readonly requestId: string;
  /** What the app is mounted at (--script-name), '' for the root. */
  readonly mount: string;
}
