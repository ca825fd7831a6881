/**
 * The options as a config file may give them: types only.
 *
 * Generated from src/config/options.ts by `npm run docs`.
 *
 * Rank 1.
 */
import type { Inputs } from './options.js';

export interface OptionInput {
  /**
   * The app to serve: a path or a package, with an optional :export.
   *
   * The export may be dotted, or a call: `./app.js:create({"x":1})`. A path is relative to the working directory (--chdir). The app may export a handler, a server, a framework's app, a promise or a factory of these, or be a script that calls listen() itself.
   *
   * Value: text. Default: none: it has to be given.
   */
  app?: Inputs['app'] | undefined;
  /**
   * Arguments for the app: everything after `--`.
   *
   * The app finds them in process.argv after its own path. On the command line they take the place of those of the config file.
   *
   * Value: list of texts. Default: none.
   */
  appArgs?: Inputs['appArgs'] | undefined;
  /**
   * Working directory of drover and the app.
   *
   * Every relative path, in a flag or in the config file, is relative to it (not to the place of the config file); only --config and --chdir themselves are relative to where drover is started. A link in it is followed anew for each worker, so that a reload follows a `current` link to the new release.
   *
   * Value: path of a directory. Default: where drover is started.
   */
  chdir?: Inputs['chdir'] | undefined;
  /**
   * Environment variable for the workers; may be repeated.
   *
   * Added to the environment drover itself runs in. On the command line it adds to the variables of the config file.
   *
   * Value: `NAME=VALUE`; in the config file an object of texts and numbers. Default: none.
   */
  env?: Inputs['env'] | undefined;
  /**
   * Flags for the workers' node, for instance "--max-old-space-size=300 --enable-source-maps".
   *
   * One text that is split as a shell splits it; in the config file also a list. Repeated, the last one wins.
   *
   * Value: text that is split as a shell does; in the config file also a list of texts. Default: none.
   */
  nodeArgs?: Inputs['nodeArgs'] | undefined;
  /**
   * Where to listen; may be repeated.
   *
   * HOST:PORT, [IPV6]:PORT, HOST or [IPV6] (port 8000), :PORT (all interfaces), PORT (127.0.0.1), unix:PATH, unix:@NAME (abstract), fd://N (an inherited listening socket). Host names are resolved once, at start. When an app calls listen() itself, its first listen() is served here; without --bind the app's own address counts.
   *
   * Without --bind an app that does not call listen() is served at 127.0.0.1:8000. The environment variables HOST and PORT (also those of --env) change that default, and nothing else: PORT alone means all interfaces (0.0.0.0:PORT), HOST alone keeps port 8000.
   *
   * An address of --bind that is in use is tried again for 5 s. One that the app asks for, or that HOST, PORT or the default names, is refused at once: the app's listen() waits for the answer, and may have a way of its own to go on.
   *
   * Sockets that systemd hands over (LISTEN_FDS, LISTEN_PID) are fd://3 and those after it, as if --bind named them, where neither a flag nor the config file does.
   *
   * Value: address; in the config file also a list of addresses. Default: HOST:PORT of the environment, else 127.0.0.1:8000; a script's own address.
   */
  bind?: Inputs['bind'] | undefined;
  /**
   * Connections that may wait to be accepted, per socket.
   *
   * The kernel cuts it to net.core.somaxconn; drover warns when it does.
   *
   * Value: whole number from 1 to 65535. Default: `2048`.
   */
  backlog?: Inputs['backlog'] | undefined;
  /**
   * Mode bits taken from unix sockets, in octal (022).
   *
   * With 0, every user of the machine may connect, as with Gunicorn. Files that the app writes are not concerned.
   *
   * Value: mode bits from 0 to 0777; a text in octal with a leading 0. Default: `0`.
   */
  umask?: Inputs['umask'] | undefined;
  /**
   * How workers share connections; see docs/accept.md.
   *
   * `auto`: `reuseport` for TCP, `exclusive` for unix sockets and inherited descriptors. `reuseport`: a socket per worker slot, and siblings that help out. `exclusive`: one socket, the kernel wakes one idle worker in turn. `grant`: one socket, the master picks the least loaded worker for each connection. `lock`, `semaphore`: one socket, polled by the one worker, or the few, that have a permit. `shared`: one socket, every idle worker is woken: for comparison.
   *
   * Value: `auto`, `reuseport`, `exclusive`, `grant`, `lock`, `semaphore`, `shared`. Default: `auto`.
   */
  acceptStrategy?: Inputs['acceptStrategy'] | undefined;
  /**
   * Workers that poll the socket at a time under --accept-strategy semaphore.
   *
   * Value: whole number from 1 to 16. Default: `2`.
   */
  acceptPermits?: Inputs['acceptPermits'] | undefined;
  /**
   * How reuseport chooses a worker for a connection: auto, least, weighted, hash or source.
   *
   * `least`: the least loaded worker, by a program in the kernel; needs the capability CAP_BPF. `weighted`: at random, by shares that follow the loads; needs no privilege. `hash`: the kernel's hash of addresses and ports. `source`: a hash of the client's address, so that a client keeps its worker, for sessions in memory and Socket.IO's long polling. `auto`: `least` where it is permitted, else `weighted`; the log says which and why. See docs/accept.md.
   *
   * Value: `auto`, `least`, `weighted`, `hash`, `source`. Default: `auto`.
   */
  steer?: Inputs['steer'] | undefined;
  /**
   * Milliseconds out of poll after which a worker gets no new connections.
   *
   * A worker whose event loop has been busy for so long is passed over until it waits for events again, and its siblings take what is in its queue. --steer hash sends it connections all the same, which its siblings take; with --steer source they wait for it.
   *
   * Value: whole number from 1 to 60000. Default: `20`.
   */
  stallMs?: Inputs['stallMs'] | undefined;
  /**
   * Take clients' addresses from PROXY headers: off, v1, v2 or auto (alone: auto); see docs/proxy-protocol.md.
   *
   * Every connection, at every address, must then begin with a header of that version (`auto`: of either); without one it is closed. For proxies that pass TCP on, as HAProxy and load balancers of clouds do.
   *
   * Value: `off`, `v1`, `v2`, `auto`; the flag alone: `auto`. Default: `off`.
   */
  proxyProtocol?: Inputs['proxyProtocol'] | undefined;
  /**
   * Who may send PROXY headers: addresses and networks (CIDR), or *; may be repeated.
   *
   * With --proxy-protocol, connections of everybody else are closed. Peers at unix sockets are trusted: who may connect there is a matter of file modes. `*` is for a network that lets nobody but the proxy connect: whoever may send a header can pretend to be any client.
   *
   * Value: addresses and networks (CIDR) with commas between them, or `*` for all; in the config file also a list; an empty one is nobody. Default: `127.0.0.1,::1`.
   */
  proxyAllowFrom?: Inputs['proxyAllowFrom'] | undefined;
  /**
   * Time for a PROXY header to come; then the connection is closed.
   *
   * At most 1024 connections per worker wait for theirs; beyond that, the one that has waited longest is closed.
   *
   * Value: duration from 10ms to 1h. Default: `3s`.
   */
  proxyTimeout?: Inputs['proxyTimeout'] | undefined;
  /**
   * Number of worker processes; auto: one per CPU that the cgroup grants.
   *
   * `auto` is the smallest of the CPU quota of the cgroup and its parents (rounded up), and the CPUs that may be used (cpuset, affinity).
   *
   * Value: whole number from 1 to 256, or `auto`. Default: `1`.
   */
  workers?: Inputs['workers'] | undefined;
  /**
   * What a worker is: http, sync, or the path of a module with a class of yours.
   *
   * `http`: many requests at a time, as Node does. `sync`: one request at a time, and `Connection: close` on every response: for apps that block the event loop, behind a proxy that buffers; it means --worker-concurrency 1 and refuses another. A path (with a slash, or ending in .js, .mjs, .cjs, .ts, .mts or .cts): see docs/worker-class.md.
   *
   * Value: `http`, `sync`, or the path of a module. Default: `http`.
   */
  workerClass?: Inputs['workerClass'] | undefined;
  /**
   * Connections a worker may have open at a time; 0: no limit.
   *
   * At the limit it takes no new one until one has closed; what comes meanwhile is taken by other workers or waits in the kernel's queue (--backlog). Idle keep-alive connections and WebSockets count. While all workers are at it and connections wait, the log says so (`workers.full`).
   *
   * Value: whole number from 0 to 1000000. Default: `0`.
   */
  workerConnections?: Inputs['workerConnections'] | undefined;
  /**
   * HTTP requests in flight at which a worker takes no new connection; 0: no limit.
   *
   * 1 is one request at a time, as Gunicorn's sync workers. A connection that was just accepted counts as a request until its first request has begun, or for a second. Idle keep-alive connections do not count, and a request on one is served even at the limit (`-k sync` closes them); so is one that comes later than that second on a silent connection.
   *
   * Value: whole number from 0 to 1000000. Default: `0`.
   */
  workerConcurrency?: Inputs['workerConcurrency'] | undefined;
  /**
   * Requests after which a worker is replaced; 0: never.
   *
   * The successor is ready before the worker drains. A worker whose connections stay open for long (WebSockets, event streams) stays beside it, at most for `--graceful-timeout`.
   *
   * Value: whole number of at least 0. Default: `0`.
   */
  maxRequests?: Inputs['maxRequests'] | undefined;
  /**
   * Adds up to N, at random per worker, to --max-requests.
   *
   * So that the workers are not all replaced at the same time.
   *
   * Value: whole number of at least 0. Default: `0`.
   */
  maxRequestsJitter?: Inputs['maxRequestsJitter'] | undefined;
  /**
   * Successors that boot at the same time during a reload.
   *
   * A successor boots beside the worker it replaces: this bounds the memory of a reload.
   *
   * Value: whole number from 1 to 256. Default: `1`.
   */
  reloadParallel?: Inputs['reloadParallel'] | undefined;
  /**
   * Directory of the heartbeat files; best on a tmpfs.
   *
   * When it cannot be used, drover says so and judges liveness without files.
   *
   * Value: path of a directory. Default: the first writable tmpfs of /dev/shm, /run and the system's temporary directory.
   */
  workerTmpDir?: Inputs['workerTmpDir'] | undefined;
  /**
   * Time for a worker to become ready.
   *
   * Ready means: the app has loaded and, when it is a script, listens. A worker that takes longer is killed.
   *
   * Value: duration from 100ms to 7d. Default: `1m`.
   */
  bootTimeout?: Inputs['bootTimeout'] | undefined;
  /**
   * A worker whose event loop has not turned for so long is killed; 0: off.
   *
   * The log has the JavaScript stack it was stuck in. A slow request is no reason: only a blocked event loop is.
   *
   * Value: duration from 1s to 7d, or 0 (off). Default: `30s`.
   */
  timeout?: Inputs['timeout'] | undefined;
  /**
   * Time for a worker to finish its requests when it is told to stop.
   *
   * After it the worker is killed.
   *
   * Value: duration from 0 to 7d. Default: `30s`.
   */
  gracefulTimeout?: Inputs['gracefulTimeout'] | undefined;
  /**
   * Path below which the app is mounted, for instance /app.
   *
   * The app sees `req.url` without it, and `req.baseUrl` and `req.originalUrl` as Express has them; a request outside is answered with 404. Whole segments count: `/ap` is no prefix of `/apple`. A header SCRIPT_NAME from a trusted peer takes its place for that request (--forwarder-headers). See docs/http-edge.md.
   *
   * Value: text. Default: none: the app is at the root.
   */
  scriptName?: Inputs['scriptName'] | undefined;
  /**
   * Proxies whose forwarding headers are believed: addresses, networks, or *; may be repeated.
   *
   * Peers at a unix socket always are. Of these are taken: X-Forwarded-For, -Proto, -Host and -Port, Forwarded (RFC 7239), --secure-scheme-headers and --forwarder-headers; what comes of them is in `req.drover`. An address in X-Forwarded-For or Forwarded is believed as far as each proxy on the way is in this set: the client is the first, from the right, that is not.
   *
   * Value: addresses and networks (CIDR) with commas between them, or `*` for all; in the config file also a list; an empty one is nobody. Default: `127.0.0.1,::1`.
   */
  forwardedAllowIps?: Inputs['forwardedAllowIps'] | undefined;
  /**
   * What becomes of forwarding headers from peers that are not trusted: drop or keep.
   *
   * `drop`: X-Forwarded-*, X-Real-IP, Forwarded, --secure-scheme-headers and --forwarder-headers are taken out before the app sees the request, so that no framework believes them; the log says so (`edge.untrusted-forwarder`). `keep`: the app gets them, for apps that judge themselves. `req.drover` believes them in neither case.
   *
   * Value: `drop`, `keep`. Default: `drop`.
   */
  untrustedHeaders?: Inputs['untrustedHeaders'] | undefined;
  /**
   * Headers of trusted peers that tell the scheme, each with the value that means https; may be repeated.
   *
   * Any other value means http. Two that contradict each other: 400. Given, they take the place of the default.
   *
   * Value: `NAME=VALUE`; in the config file an object of texts. Default: `x-forwarded-protocol=ssl x-forwarded-proto=https x-forwarded-ssl=on`.
   */
  secureSchemeHeaders?: Inputs['secureSchemeHeaders'] | undefined;
  /**
   * Headers with an underscore that trusted peers may send whatever --header-map says; *: all.
   *
   * SCRIPT_NAME among them sets the mount of a request (--script-name).
   *
   * Value: names of headers with commas between them, or `*`; in the config file also a list. Default: `script_name,path_info`.
   */
  forwarderHeaders?: Inputs['forwarderHeaders'] | undefined;
  /**
   * What to do with header names that have an underscore: drop, refuse (400) or dangerous (keep).
   *
   * Proxies and CGI-like programs take `X_Forwarded_For` and `X-Forwarded-For` for the same name, so one can pass for the other.
   *
   * Value: `drop`, `refuse`, `dangerous`. Default: `drop`.
   */
  headerMap?: Inputs['headerMap'] | undefined;
  /**
   * Refuse with 400 what RFC 9112 forbids and Node's parser lets pass; --no-strict-http: let it pass.
   *
   * For instance two Host headers, a Host that is none, a transfer coding other than chunked, Host and an absolute request target that differ, forbidden trailers. What Node's parser refuses is refused in any case.
   *
   * Default: `true`.
   */
  strictHttp?: Inputs['strictHttp'] | undefined;
  /**
   * When a request gets an id: lazy, set or echo.
   *
   * An id from a trusted peer (--request-id-header) is kept, if it has 1 to 128 of the characters A-Z a-z 0-9 - _ . : / + = @. Else one is made. `lazy`: when `req.drover.requestId` is first read. `set`: for every request, and put into its headers, so that frameworks and loggers see it. `echo`: also in the response's headers.
   *
   * Value: `lazy`, `set`, `echo`. Default: `lazy`.
   */
  requestId?: Inputs['requestId'] | undefined;
  /**
   * Header that carries the id of a request.
   *
   * Value: text. Default: `X-Request-Id`.
   */
  requestIdHeader?: Inputs['requestIdHeader'] | undefined;
  /**
   * Bytes a request line may have; 0: no limit of its own.
   *
   * Without its line end. A longer one is answered with 414. The whole head of a request is bounded too: by --max-http-header-size of Node (16 KiB), or what this limit and four fields of --limit-request-field-size come to, if that is more; an app's own maxHeaderSize stays.
   *
   * Value: whole number from 0 to 1048576. Default: `4094`.
   */
  limitRequestLine?: Inputs['limitRequestLine'] | undefined;
  /**
   * Header fields a request may have; 0: no limit of its own.
   *
   * One with more is answered with 431. Node alone drops what is too many (over 1000) and says nothing.
   *
   * Value: whole number from 0 to 32768. Default: `100`.
   */
  limitRequestFields?: Inputs['limitRequestFields'] | undefined;
  /**
   * Bytes a header field may have, with its line end; 0: no limit of its own.
   *
   * Name, colon, blank, value and line end. A larger one is answered with 431.
   *
   * Value: whole number from 0 to 1048576. Default: `8190`.
   */
  limitRequestFieldSize?: Inputs['limitRequestFieldSize'] | undefined;
  /**
   * Bytes the body of a request may have; 0: no limit.
   *
   * A larger one is answered with 413: before any of it is read, and before `100 Continue`, where Content-Length tells its size; else as soon as it has grown too large, if no response has begun, and if one has the connection ends.
   *
   * Value: number of bytes up to 1048576g, or with a unit: `64k`, `10m`, `1g`. Default: `0`.
   */
  limitRequestBody?: Inputs['limitRequestBody'] | undefined;
  /**
   * Time for the head of a request to arrive; app: what the app sets, else Node's 60 s.
   *
   * A client that takes longer, also one that sends nothing on a new connection, is answered with 408. Given, it takes the place of the app's own `headersTimeout`.
   *
   * Value: duration from 100ms to 1d, or 0 (off), or `app`. Default: `app`.
   */
  headerTimeout?: Inputs['headerTimeout'] | undefined;
  /**
   * Time for a whole request, head and body, to arrive; app: what the app sets, else Node's 300 s.
   *
   * A client that takes longer is answered with 408, if no response has begun. Given, it takes the place of the app's own `requestTimeout`. A head has no longer either.
   *
   * Value: duration from 100ms to 7d, or 0 (off), or `app`. Default: `app`.
   */
  requestTimeout?: Inputs['requestTimeout'] | undefined;
  /**
   * How long a connection is kept open without a request; app: what the app sets, else Node's (5 s).
   *
   * Given, it takes the place of the app's own `keepAliveTimeout`. Node adds a second to it (since Node 22.19).
   *
   * Value: duration from 100ms to 7d, or 0 (none: every response closes its connection), or `app`. Default: `app`.
   */
  keepAlive?: Inputs['keepAlive'] | undefined;
  /**
   * A client that takes none of what is to be sent to it for so long is disconnected; 0: off.
   *
   * Looked at a few times in that time, so it may take a quarter longer. A slow client that takes a little now and then is left alone, and so is one that has nothing to wait for.
   *
   * Of HTTP/2, a stream whose client reads the connection but opens no window for anything is reset.
   *
   * Value: duration from 1s to 1d, or 0 (off). Default: `1m`.
   */
  writeTimeout?: Inputs['writeTimeout'] | undefined;
  /**
   * Serve the files of a directory below a URL prefix, before the app; may be repeated.
   *
   * `--static /assets=./public` answers `/assets/app.css` with `public/app.css`. What is not there, and names that begin with a dot, are left to the app. Nothing outside DIR is served, whatever the path or a symbolic link says. See docs/files.md.
   *
   * Value: `PREFIX=DIR`; in the config file an object of directories by prefix, or a list. Default: none.
   */
  static?: Inputs['static'] | undefined;
  /**
   * How long a client may keep a --static file without asking again.
   *
   * Sent as `Cache-Control: public, max-age=` in seconds. 0: a client asks each time, and gets 304 for what has not changed.
   *
   * Value: duration from 0 to 366d. Default: `0`.
   */
  staticMaxAge?: Inputs['staticMaxAge'] | undefined;
  /**
   * Send files with sendfile(2); on unless --no-sendfile or SENDFILE=0 is given.
   *
   * For --static, sendFile(), X-Sendfile, and files that an app pipes into a response. Off by itself under TLS and HTTP/2, and for files that cannot be sent so: these are read and written.
   *
   * Default: `true`.
   */
  sendfile?: Inputs['sendfile'] | undefined;
  /**
   * Directory of the files that the app may name in X-Sendfile or X-Accel-Redirect.
   *
   * Without it these response headers mean nothing. A path that leads out of it, and a symbolic link, is answered with 403.
   *
   * Value: path of a directory. Default: none.
   */
  sendfileRoot?: Inputs['sendfileRoot'] | undefined;
  /**
   * File of the certificate: serve HTTPS.
   *
   * PEM: the server's certificate first, then the intermediate ones. The private key may be in it too. Read by the master at start and on HUP; workers get it from there, so that a file that is being replaced on disk harms nobody. See docs/tls.md.
   *
   * Value: path of a file. Default: none.
   */
  certfile?: Inputs['certfile'] | undefined;
  /**
   * File of the private key of --certfile, PEM.
   *
   * Value: path of a file. Default: the private key in --certfile.
   */
  keyfile?: Inputs['keyfile'] | undefined;
  /**
   * Password of private keys that are encrypted.
   *
   * Every user of the machine can read a command line: give it in the environment or in the config file. It is for --keyfile and for the keys of --cert-dir alike.
   *
   * Value: text. Default: none.
   */
  keyfilePassword?: Inputs['keyfilePassword'] | undefined;
  /**
   * Directory of certificates by host name (SNI): serve HTTPS.
   *
   * NAME.pem with certificate and key, NAME.crt (or NAME.pem) beside NAME.key, or NAME/fullchain.pem beside NAME/privkey.pem, as certbot has them. A name that begins with `_.` or `*.` is for all names one level below. The exact name wins over the wildcard; any other name, and a client that sends none, gets --certfile, and without it the handshake fails.
   *
   * Value: path of a directory. Default: none.
   */
  certDir?: Inputs['certDir'] | undefined;
  /**
   * File of the authorities that client certificates are checked against, PEM; for --cert-reqs.
   *
   * Value: path of a file. Default: none.
   */
  caCerts?: Inputs['caCerts'] | undefined;
  /**
   * Whether clients show a certificate: none, optional or required.
   *
   * `optional`: a client may show none, but one that it shows has to be good. The app finds it by `req.socket.getPeerCertificate()`. 0, 1 and 2 are understood, as Gunicorn names them.
   *
   * Value: `none`, `optional`, `required`, `0`, `1`, `2`. Default: `none`.
   */
  certReqs?: Inputs['certReqs'] | undefined;
  /**
   * Cipher suites in OpenSSL's notation, the preferred first.
   *
   * Value: text. Default: Node's.
   */
  ciphers?: Inputs['ciphers'] | undefined;
  /**
   * Oldest version of TLS that is spoken: TLSv1.2 or TLSv1.3.
   *
   * What is older is broken (RFC 8996) and cannot be had.
   *
   * Value: `TLSv1.2`, `TLSv1.3`. Default: `TLSv1.2`.
   */
  tlsMinVersion?: Inputs['tlsMinVersion'] | undefined;
  /**
   * Newest version of TLS that is spoken: TLSv1.2 or TLSv1.3.
   *
   * Value: `TLSv1.2`, `TLSv1.3`. Default: `TLSv1.3`.
   */
  tlsMaxVersion?: Inputs['tlsMaxVersion'] | undefined;
  /**
   * Time for a client to finish the TLS handshake.
   *
   * After it the connection is closed.
   *
   * Value: duration from 100ms to 1h. Default: `10s`.
   */
  tlsHandshakeTimeout?: Inputs['tlsHandshakeTimeout'] | undefined;
  /**
   * How often the keys of the session tickets change; 0: never.
   *
   * The master makes the keys and all workers share them, so that a client resumes its TLS session at any worker, also across a reload. A ticket is good until the second change after it was made. Also for servers that the app makes with node:https and node:http2, unless it sets `ticketKeys` itself.
   *
   * Value: duration from 1s to 7d, or 0 (never). Default: `12h`.
   */
  tlsTicketRotate?: Inputs['tlsTicketRotate'] | undefined;
  /**
   * Protocols that are spoken, the preferred first: h1, h2, or both with a comma.
   *
   * Under TLS the client and drover agree by ALPN. Without TLS, h2 is for clients that know beforehand (prior knowledge): the first bytes of a connection tell. HTTP/2 is for the http servers of the app, whatever its framework; requests look as those of HTTP/1 do, with `req.httpVersion` `2.0`.
   *
   * Value: `h1`, `h2`, or several with commas; in the config file also a list. Default: `h1`.
   */
  httpProtocols?: Inputs['httpProtocols'] | undefined;
  /**
   * Requests at a time on an HTTP/2 connection.
   *
   * Value: whole number from 1 to 2147483647. Default: `100`.
   */
  http2MaxConcurrentStreams?: Inputs['http2MaxConcurrentStreams'] | undefined;
  /**
   * Bytes of a request body that an HTTP/2 client may send ahead, per request.
   *
   * Value: whole number from 1 to 2147483647. Default: `65535`.
   */
  http2InitialWindowSize?: Inputs['http2InitialWindowSize'] | undefined;
  /**
   * Largest HTTP/2 frame that is taken, in bytes.
   *
   * Value: whole number from 16384 to 16777215. Default: `16384`.
   */
  http2MaxFrameSize?: Inputs['http2MaxFrameSize'] | undefined;
  /**
   * Bytes of the header fields of an HTTP/2 request, decoded; 0: no limit.
   *
   * A request with more is refused. No limit means 16 MiB, which is Node's own.
   *
   * Value: whole number from 0 to 16777215. Default: `65536`.
   */
  http2MaxHeaderListSize?: Inputs['http2MaxHeaderListSize'] | undefined;
  /**
   * Name in the process titles: `drover: master [NAME]`.
   *
   * Tells several drovers on one machine apart.
   *
   * Value: text. Default: the app as given.
   */
  name?: Inputs['name'] | undefined;
  /**
   * File to write the master's process id to.
   *
   * Refused when it names a process that is running, of drover or not, unless that began after the file was written and is no master of drover: then it is stale, and replaced. A file that holds anything else than a process id is refused as well. Every user may read it, whatever the umask.
   *
   * Value: path of a file. Default: none.
   */
  pidfile?: Inputs['pidfile'] | undefined;
  /**
   * File for drover's own log; -: standard error.
   *
   * Reopened on USR1. What the app writes to its standard output and error is left alone.
   *
   * A line is written at once. Where a pipe or a socket (systemd's) is full, as nobody reads it, or a terminal is stopped, up to 512 KiB of lines are kept; the rest is lost, and `log.dropped` says how many. At its end drover waits up to 2 s for who has not read them. A pipe or a terminal that belongs to another user and a disk that hangs make drover wait: it then reloads and stops late.
   *
   * Value: path of a file, or `-`. Default: `-`.
   */
  logFile?: Inputs['logFile'] | undefined;
  /**
   * Least level that is logged: debug, info, warn, error or fatal.
   *
   * `warning` and `critical` are understood as `warn` and `fatal`.
   *
   * Value: `debug`, `info`, `warn`, `error`, `fatal`, `warning`, `critical`. Default: `info`.
   */
  logLevel?: Inputs['logLevel'] | undefined;
  /**
   * Json, pretty, or auto: pretty on a terminal, else json.
   *
   * Value: `auto`, `json`, `pretty`. Default: `auto`.
   */
  logFormat?: Inputs['logFormat'] | undefined;
  /**
   * File for the access log, a line per request; -: standard output.
   *
   * Opened for appending by every worker, made if it is not there, and opened anew on USR1. Lines are gathered and written every 100 ms or 32 KiB. See docs/access-log.md.
   *
   * Value: path of a file, or `-`. Default: none.
   */
  accessLogfile?: Inputs['accessLogfile'] | undefined;
  /**
   * Combined, common, json, or a text with Gunicorn's atoms, as in "%(h)s %(s)s %(D)s".
   *
   * `combined` is `%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"`, `common` the same without referer and user agent, `json` an object per line. The atoms and the fields are in docs/access-log.md.
   *
   * Value: text. Default: `combined`.
   */
  accessLogFormat?: Inputs['accessLogFormat'] | undefined;
}
