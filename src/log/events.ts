/**
 * Every event drover logs, in one table: name, level, sentence, and what its fields mean. Rendered into docs/events.md.
 * Tests and tools match on `event`, people read the sentence: names are stable, sentences are not.
 *
 * Rank 2.
 */

export type Level = 'debug' | 'info' | 'warn' | 'error' | 'fatal';

interface EventRow {
  level: Level;
  /** Sentence for the log; `{field}` is replaced by the field's value, `{field|one|many}` by it and the word for one or for many. */
  message: string;
  /** For the manual: when it is logged, and the fields beyond those in the sentence. */
  help: string;
}

export const EVENTS = {
  'master.starting': { level: 'info', message: 'drover {version} starts: pid {pid}, Node {node}, {workers|worker|workers}, app {app}', help: 'First line of a run.' },
  'config.unknown-variable': { level: 'warn', message: 'environment variable {variable} does nothing, drover has none of that name: {remedy}', help: 'At start, for each that begins with DROVER_. Those that Kubernetes sets for services are left out.' },
  'master.listening': { level: 'info', message: 'listening at {address} ({strategy}, backlog {backlog})', help: 'Once per address: at start for --bind, else when the first worker listens.' },
  'master.ready': { level: 'info', message: 'ready: {workers|worker serves|workers serve} {addresses}', help: 'The full number of workers is ready for the first time.' },
  'master.signal': { level: 'info', message: 'signal {signal}: {action}', help: 'A signal was received and what it makes drover do.' },
  'master.no-upgrade': {
    level: 'warn',
    message: '{signal}: drover is not upgraded in place. For new code or options of the app send HUP; for another version of drover or Node stop it and start the new one (with sockets of systemd connections wait meanwhile)',
    help: 'USR2, with which Gunicorn and nginx start a new master beside the old.',
  },
  'master.capability-shared': { level: 'warn', message: 'CAP_BPF cannot be withheld from the workers: prctl(2) answers {error}; the app has it if drover has it as an ambient capability', help: 'At start, with the steering `least`. Allow that call where system calls are filtered.' },
  'master.stopping': { level: 'info', message: 'stopping ({mode}): {reason}', help: '`mode` is graceful or quick.' },
  'master.stopped': { level: 'info', message: 'stopped, exit code {code}', help: 'Last line of a run.' },
  'master.failed': { level: 'fatal', message: '{message}', help: 'drover cannot go on; `code` names the error, `exitCode` what it exits with, `remedy` says what to do. `stack`: of what the app threw, or of a bug in drover.' },
  'worker.spawned': { level: 'debug', message: 'worker {slot} spawned: pid {worker}', help: '`generation` counts reloads.' },
  'worker.ready': { level: 'info', message: 'worker {slot} ready: pid {worker}, booted in {bootMs} ms', help: 'The app has loaded and listens.' },
  'worker.draining': { level: 'info', message: 'worker {slot} drains: pid {worker}, {reason}', help: 'It takes no new connections and finishes what is open.' },
  'worker.exited': { level: 'info', message: 'worker {slot} exited: pid {worker}, {cause}', help: 'An exit that was asked for. `kind` is a death kind, `code` or `signal` as the kernel tells it; `requests`, `older` and `inFlight` as in `worker.died`.' },
  'worker.died': { level: 'error', message: 'worker {slot} died: pid {worker}, {cause}', help: 'An exit that nobody asked for. `kind`: exit, uncaught, heap-limit, out-of-memory, signal, timeout, boot. `stack` where there is one. `requests`: method and path of the requests that were in flight, the newest 16 at most, newest first. If there were more: `inFlight`, how many, and `older`, one that was begun before those, where drover knows one; as a rule it is the oldest.' },
  'worker.boot-failed': { level: 'error', message: 'worker {slot} could not boot: {message}', help: 'The app threw while loading, exited before it listened, or took longer than --boot-timeout; or its process could not be started (`worker` is 0). `code` names the error, `remedy` says what to do, `stack` is where it was thrown, if that is known.' },
  'worker.waiting': { level: 'info', message: 'worker {slot}: app {app} has loaded and does not listen yet, and drover waits for it until --boot-timeout is over: {why}', help: 'Once per boot, after 5 s. Something keeps the app alive, so that it may listen yet, as large programs do that take their time. `why`: what is the matter if it never does. `worker` is the pid.' },
  'worker.stopped': { level: 'warn', message: 'worker {slot} is stopped (SIGSTOP): pid {worker} does nothing until it goes on: kill -CONT {worker}', help: 'Once each time it is; drover looks each quarter of --timeout, 5 s at most, and before it kills a worker that is late. One that serves is killed after --timeout, one that boots when --boot-timeout is over (or, where it does not listen yet, 2 s after drover was told to stop or its reload has failed), one that drains when --graceful-timeout is; what is connected to it waits meanwhile, and so does the end of a reload or of drover.' },
  'worker.timeout': { level: 'error', message: 'worker {slot} is stuck: pid {worker}, its event loop has not turned for {stuckMs} ms; it is killed', help: '`stack` is the JavaScript stack it is stuck in; where none can be had, `noStack` says why.' },
  'worker.grace-ending': { level: 'warn', message: 'worker {slot} has {connections|connection|connections} open, and --graceful-timeout is nearly over: pid {worker}, the app is told to end', help: 'Its SIGTERM listeners, or its framework\'s closing, run although requests do; what they leave is killed (`worker.grace-exceeded`).' },
  'worker.grace-exceeded': { level: 'warn', message: 'worker {slot} did not finish within {graceMs} ms and is killed: pid {worker}, {connections|connection|connections} open', help: '`requests`, `older` and `inFlight`: what is in flight, as in `worker.died`. What hangs is rather `older` than the newest.' },
  'worker.respawn-delayed': { level: 'warn', message: 'worker {slot} {why}: next try in {delayMs} ms', help: 'Crash loop, or a process that the system does not let be started: the pause doubles from 100 ms to 10 s.' },
  'worker.orphaned': { level: 'error', message: 'worker {slot} has lost its master (pid {master}), which was killed or has crashed: pid {worker} finishes what is open, for {graceMs} ms at most, and exits', help: 'The only line that workers write themselves, one each, where the master would have: `pid` is that of the worker. Nobody serves until drover is started again.' },
  'worker.recycling': { level: 'info', message: 'worker {slot} asks to be replaced: pid {worker}, {reason}', help: 'For instance --max-requests reached; its successor boots first.' },
  'worker.accept-error': { level: 'error', message: 'worker {slot} cannot accept: {error}, {why}: {remedy}', help: 'Out of descriptors or memory (accepting pauses and is tried again, and connections wait for it or go to other workers), or a broken listener. At most every 10 s per worker. With `EMFILE`, `limit`: how many descriptors the process may have, `connections`: how many of them are connections.' },
  'worker.accept-recovered': { level: 'info', message: 'worker {slot} accepts again, after {outMs} ms', help: 'Follows `worker.accept-error`, when nothing has failed for a second. `outMs`: from the first failure to the last.' },
  'proxy.refused': { level: 'warn', message: 'worker {slot} closed a connection from {peer}: {why}', help: '--proxy-protocol. `reason`: not-allowed, missing, other-version, malformed, broken-off, late, crowded. At most once in 10 s per worker and reason: `count` were closed for it since it was last told, and `peer` was the last of them.' },
  'worker.app-exit': { level: 'warn', message: 'worker {slot}: {message}', help: 'Something the app did that a server should know of.' },
  'reload.started': { level: 'info', message: 'reload: generation {generation}', help: 'HUP. New workers boot beside the old.' },
  'reload.finished': { level: 'info', message: 'reload finished: generation {generation} serves, {workers|worker|workers} in {ms} ms', help: 'No old worker takes connections any more; what they have open they finish.' },
  'reload.failed': { level: 'error', message: 'reload failed, {serving}: {message}', help: '`stage` is config, boot, or serve: a successor died within 10 s of being ready, before the reload was finished. `replaced` old workers had already been replaced (one of them by the successor that died), and `serving` says who serves now: both versions, where some were, until the next HUP (what dies or is recycled meanwhile is replaced by what the files are then). `remedy` says what to do, unless the sentence does. Of a boot that failed, the stack and what to do about its cause are in the `worker.boot-failed` before it.' },
  'reload.restart-needed': { level: 'warn', message: 'reload: {option} has changed, which only a restart can apply', help: 'The old value stays in force.' },
  'workers.changed': { level: 'info', message: 'workers: {from} to {to}', help: 'TTIN, TTOU, WINCH, or a reload with another --workers.' },
  'workers.full': {
    level: 'warn',
    message: 'no worker takes connections: {workers|worker is|workers are} at the limit of {limit|connection|connections} (--worker-connections), and {waiting}: raise it, add workers (-w), or close idle connections',
    help: 'It was so at two looks in a row (drover looks each quarter of --timeout, 5 s at most), connections waited in an accept queue at both, and none was taken in between. At most once a minute. Not for --worker-concurrency: to be full of requests passes with them. `workers`: those that serve. `length`: how many connections wait, where the kernel tells (not of unix sockets). `limit`: the highest, where a reload has changed it and not all workers have the new one.',
  },
  'workers.free': { level: 'info', message: 'a worker takes connections again, after {fullMs} ms', help: 'Follows `workers.full`. `fullMs`: from the look that saw it first to the one that saw it over.' },
  'heartbeat.unavailable': { level: 'warn', message: 'no heartbeat files: {reason}; liveness is judged by the board alone', help: 'The directory is missing, read-only or full; `reason` names each that was tried.' },
  'heartbeat.on-disk': { level: 'warn', message: 'heartbeat directory {dir} is on a disk ({filesystem}): a slow disk delays heartbeats; use a tmpfs: --worker-tmp-dir /dev/shm', help: '' },
  'heartbeat.disk-stalled': { level: 'warn', message: 'worker {slot}: its event loop turns, but its heartbeat file has not changed for {stalledMs} ms: the disk of {dir} hangs', help: 'Nobody is killed for it.' },
  'heartbeat.disk-recovered': { level: 'info', message: 'worker {slot}: its heartbeat file changes again', help: '' },
  'listen.backlog-cut': { level: 'warn', message: 'backlog {backlog} is cut to {somaxconn} by net.core.somaxconn; raise it: sysctl -w net.core.somaxconn={backlog}', help: '' },
  'listen.overflow': { level: 'warn', message: '{address}: a full accept queue (slot {slot}, {limit|connection|connections}) has dropped {dropped|connection attempt|connection attempts}; clients try again after a second or more: raise --backlog and net.core.somaxconn, or add workers', help: 'At most once a minute per address. `length`: what waits now; `dropped`: since it was last told, all slots together; `slot` is the worst, -1 where all share one queue. See drover doctor.' },
  'listen.retrying': { level: 'warn', message: '{address} is {state}; it is tried again for {remainingS} s', help: 'Once per address, of --bind alone. `remainingS`: rounded up from `remainingMs`. `state`: "held by NAME (pid PID)" or "in use"; `holder` has `pid` and `name` of the process where /proc lets us know. Ends with `master.listening` or `master.failed`.' },
  'listen.sockets-unused': { level: 'warn', message: 'nobody serves {sockets}, handed over by LISTEN_FDS: {where} says where to listen; who connects there waits in vain', help: 'At start. Give no address, and drover serves all that is handed over; or name these as well.' },
  'listen.strategy': { level: 'info', message: '{address}: {strategy} ({reason})', help: 'What serves an address where that is not simply the strategy asked for (`auto`, or an address it cannot serve), and why. Once for each such reason, with the first address it goes for; `master.listening` has the strategy of every address.' },
  'listen.steering': { level: 'info', message: 'steering: {steering} ({reason})', help: 'How `reuseport` chooses a worker for a connection (--steer), once, with the first address it serves.' },
  'listen.steer-failed': { level: 'warn', message: '{address}: connections cannot be steered ({reason}): the kernel spreads them by hash', help: 'Siblings take what a worker cannot, but not with --steer source; clients do not keep their worker then. `remedy` says what to do, where that is known.' },
  'listen.unsteered': { level: 'warn', message: '{address}: a client does not keep its worker there ({strategy}: one socket for all), whatever --steer source says', help: 'Unix sockets and inherited descriptors, as those of systemd. Once per address.' },
  'request.refused': { level: 'warn', message: 'request refused: {status}, {reason} ({count|time|times}; {peer})', help: 'At most one line in ten seconds per worker, status and reason. `count`: how often since it was last told; `peer`: of the last. See docs/http-edge.md.' },
  'edge.untrusted-forwarder': { level: 'warn', message: '{peer} sends headers that only trusted proxies may send ({removed}): they were removed ({count|time|times}). If it is your proxy: --forwarded-allow-ips {peer}', help: 'At most once an hour per worker and peer. --untrusted-headers keep leaves them to the app.' },
  'edge.header-dropped': { level: 'warn', message: '{peer} sends header names with an underscore ({removed}): they were removed ({count|time|times})', help: 'At most once an hour per worker and peer. See --header-map and --forwarder-headers.' },
  'edge.lenient-parser': { level: 'warn', message: 'a server of the app would parse HTTP leniently (insecureHTTPParser): that stays off, as what it takes, a proxy in front may read differently', help: '`insecureHTTPParser`, `httpValidation` or --insecure-http-parser. Once per server.' },
  'connection.stalled': { level: 'warn', message: '{peer} took nothing of what was to be sent to it for {timeoutMs} ms: its {ended} was ended ({count|time|times})', help: 'At most one line in ten seconds per worker. --write-timeout. `ended`: connection, or stream where a client of HTTP/2 opens no window for one.' },
  'tls.expired': { level: 'warn', message: 'the certificate of {subject} in {file} has expired: {validTo}', help: 'At start and on HUP. It is served all the same.' },
  'tls.expires-soon': { level: 'warn', message: 'the certificate of {subject} in {file} expires in {days|day|days}: {validTo}', help: 'At start and on HUP, when 14 days or less are left.' },
  'tls.handshake-failed': { level: 'info', message: 'worker {slot}: {count|TLS handshake has failed|TLS handshakes have failed}, the last from {address}: {error}', help: 'Rate-limited: at once, then every 10 s at most; `count` is since the last time. `code` is the error code of OpenSSL or Node. Connections that are closed before they say anything are not counted.' },
  'tls.not-used': { level: 'warn', message: 'worker {slot}: a server of the app ({kind}) listens at {address}; --certfile and --cert-dir are not for it: {why}', help: '`kind`: https, tls, http2 or net. TLS is put in front of node:http servers that listen at drover\'s sockets.' },
  'listen.file-restored': { level: 'warn', message: '{address}: the file of the socket that drover serves it by was gone, and is put back. An app that removes it before it listens need not: drover does so itself where nobody listens any more', help: 'Once per address, when the app of a worker listens: HUP puts back a file that somebody else has removed. Clients that came before were refused.' },
  'listen.file-lost': { level: 'warn', message: '{address}: the file of this socket is gone or another one ({reason}): nobody can connect any more; restart drover', help: 'Noticed when a worker listens. Once per address.' },
  'listen.apart': { level: 'warn', message: 'worker {slot} listens at {address}, and the others at {other}: does the app look for a free port? Give it its address with --bind', help: 'A worker that is ready has no address in common with the others of its generation; said once for each generation. See docs/programs.md.' },
  'listen.closed': { level: 'info', message: '{address} is closed: since the last reload the app does not listen there any more', help: 'An address that only the app has asked for, not --bind. Said, and done, when --boot-timeout has passed since the reload.' },
  'listen.unwatched': { level: 'warn', message: '{address}: not watched by the conductor ({error}): a connection whose worker dies or runs out of descriptors waits for the next one', help: '' },
  'hook.failed': { level: 'error', message: 'hook {hook} threw: {message}', help: '`stack` is its stack. Nothing stops but what the manual says the hook stops.' },
  'hook.late': { level: 'warn', message: 'hook {hook} is not done after {ms} ms: {then}', help: 'The hooks that drover waits for: `onStarting`, `onReload` and `preSpawn` after --boot-timeout, `onExit` after --graceful-timeout.' },
  'log.reopened': { level: 'info', message: 'log files reopened', help: 'USR1.' },
  'log.reopen-failed': { level: 'error', message: 'log file {file} cannot be reopened: {error}; the old one stays in use', help: 'USR1.' },
  'log.dropped': { level: 'warn', message: '{lines|line|lines} of this log lost here: its reader was too slow, or its disk full', help: 'drover does not wait for its log: of what cannot be written up to 512 KiB are kept, the rest is lost. See --log-file.' },
  'access-log.failed': { level: 'error', message: 'worker {slot}: the access log cannot be written to {file}: {error}; it is tried again every second', help: 'At most every 10 s per worker. Lines are kept meanwhile, up to 1 MiB per worker. Also of a worker that finds, when it has its first line, that the file cannot be opened: it serves all the same.' },
  'access-log.recovered': { level: 'info', message: 'worker {slot}: the access log can be written again: {file}', help: '' },
  'access-log.dropped': { level: 'warn', message: 'worker {slot}: {lines|line of the access log was|lines of the access log were} dropped: {file} does not take them', help: 'A disk or a reader that is slow, hangs, or is full. At most every 10 s per worker; `lines`: since it was last told.' },
  'http.sendfile-refused': { level: 'warn', message: 'X-Sendfile: {path} is not below {root}, or a symbolic link or no readable file; {url} was answered with 403', help: 'At most every 10 s per worker; `count`: how many since it was last told. Missing files are 404 and not logged.' },
  'http.sendfile-failed': { level: 'error', message: 'X-Sendfile: {path} cannot be opened: {error}, {why}; {url} was answered with 503: {remedy}', help: 'Out of descriptors, so that it is not known whether the file is there. At most every 10 s per worker; `count`: how many since it was last told.' },
  'child.reaped': { level: 'debug', message: 'adopted process {pid} reaped', help: 'drover runs as PID 1 (or as a subreaper).' },
} as const satisfies Record<string, EventRow>;

export type EventName = keyof typeof EVENTS;
