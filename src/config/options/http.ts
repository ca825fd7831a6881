/** Rows of the table of options (../options.ts): what the HTTP edge believes of a request. */
import type { Option } from '../option.js';

export const HTTP = [
  {
    name: 'scriptName',
    env: 'SCRIPT_NAME',
    type: 'string',
    default: '',
    defaultSays: 'none: the app is at the root',
    section: 'http',
    reload: 'respawn',
    placeholder: '/PREFIX',
    help: `path below which the app is mounted, for instance /app.
The app sees \`req.url\` without it, and \`req.baseUrl\` and \`req.originalUrl\` as Express has them; a request outside is answered with 404. Whole segments count: \`/ap\` is no prefix of \`/apple\`. A header SCRIPT_NAME from a trusted peer takes its place for that request (--forwarder-headers). See docs/http-edge.md.`,
  },
  {
    name: 'forwardedAllowIps',
    env: 'FORWARDED_ALLOW_IPS',
    type: 'addressSet',
    default: ['127.0.0.1', '::1'],
    section: 'http',
    reload: 'respawn',
    placeholder: 'ADDRESSES',
    help: `proxies whose forwarding headers are believed: addresses, networks, or *; may be repeated.
Peers at a unix socket always are. Of these are taken: X-Forwarded-For, -Proto, -Host and -Port, Forwarded (RFC 7239), --secure-scheme-headers and --forwarder-headers; what comes of them is in \`req.drover\`. An address in X-Forwarded-For or Forwarded is believed as far as each proxy on the way is in this set: the client is the first, from the right, that is not.`,
  },
  {
    name: 'untrustedHeaders',
    type: 'enum',
    values: ['drop', 'keep'],
    default: 'drop',
    section: 'http',
    reload: 'respawn',
    help: `what becomes of forwarding headers from peers that are not trusted: drop or keep.
\`drop\`: X-Forwarded-*, X-Real-IP, Forwarded, --secure-scheme-headers and --forwarder-headers are taken out before the app sees the request, so that no framework believes them; the log says so (\`edge.untrusted-forwarder\`). \`keep\`: the app gets them, for apps that judge themselves. \`req.drover\` believes them in neither case.`,
  },
  {
    name: 'secureSchemeHeaders',
    type: 'fieldValues',
    default: { 'x-forwarded-protocol': 'ssl', 'x-forwarded-proto': 'https', 'x-forwarded-ssl': 'on' },
    section: 'http',
    reload: 'respawn',
    placeholder: 'NAME=VALUE',
    help: `headers of trusted peers that tell the scheme, each with the value that means https; may be repeated.
Any other value means http. Two that contradict each other: 400. Given, they take the place of the default.`,
  },
  {
    name: 'forwarderHeaders',
    type: 'fieldNames',
    default: ['script_name', 'path_info'],
    section: 'http',
    reload: 'respawn',
    placeholder: 'NAMES',
    help: `headers with an underscore that trusted peers may send whatever --header-map says; *: all.
SCRIPT_NAME among them sets the mount of a request (--script-name).`,
  },
  {
    name: 'headerMap',
    type: 'enum',
    values: ['drop', 'refuse', 'dangerous'],
    default: 'drop',
    section: 'http',
    reload: 'respawn',
    help: `what to do with header names that have an underscore: drop, refuse (400) or dangerous (keep).
Proxies and CGI-like programs take \`X_Forwarded_For\` and \`X-Forwarded-For\` for the same name, so one can pass for the other.`,
  },
  {
    name: 'strictHttp',
    type: 'bool',
    default: true,
    section: 'http',
    reload: 'respawn',
    help: `refuse with 400 what RFC 9112 forbids and Node's parser lets pass; --no-strict-http: let it pass.
For instance two Host headers, a Host that is none, a transfer coding other than chunked, Host and an absolute request target that differ, forbidden trailers. What Node's parser refuses is refused in any case.`,
  },
  {
    name: 'requestId',
    type: 'enum',
    values: ['lazy', 'set', 'echo'],
    default: 'lazy',
    section: 'http',
    reload: 'respawn',
    help: `when a request gets an id: lazy, set or echo.
An id from a trusted peer (--request-id-header) is kept, if it has 1 to 128 of the characters A-Z a-z 0-9 - _ . : / + = @. Else one is made. \`lazy\`: when \`req.drover.requestId\` is first read. \`set\`: for every request, and put into its headers, so that frameworks and loggers see it. \`echo\`: also in the response's headers.`,
  },
  {
    name: 'requestIdHeader',
    type: 'string',
    default: 'X-Request-Id',
    section: 'http',
    reload: 'respawn',
    placeholder: 'NAME',
    help: 'header that carries the id of a request.',
  },
] as const satisfies readonly Option[];
