/**
 * The policies of the HTTP edge that the configuration asks for, in their order. In the worker, before the app is loaded.
 *
 * A policy is imported only when it is in force: what a worker loads, every worker pays for.
 */
import type { EdgeConfig } from '../config/edge-config.js';
import type { Hooks } from '../config/hooks.js';
import { Edge } from './edge.js';
import type { Policy, PolicyContext } from './policy.js';

export async function openEdge(config: EdgeConfig, context: PolicyContext, hooks: Hooks = {}): Promise<Edge> {
  const policies: Policy[] = [];
  // Who keeps account of requests comes before who refuses them.
  const { accessLog, screen, timeouts, writeTimeoutMs } = config;
  if (accessLog !== undefined) {
    const [{ AccessLog }, { onRefused }] = await Promise.all([import('./access-log/access-log.js'), import('./refusal.js')]);
    const policy = new AccessLog(accessLog, context);
    onRefused((refusal) => policy.refused(refusal));
    policies.push(policy);
  }
  if (screen !== undefined) {
    const [{ Screen }, { Refusals }] = await Promise.all([import('./screen.js'), import('./refusal.js')]);
    policies.push(new Screen(screen, context, new Refusals(context)));
  }
  if (timeouts !== undefined) {
    const { limitTimes } = await import('./server-limits.js');
    policies.push({ server: (server) => limitTimes(server, timeouts) });
  }
  if (writeTimeoutMs !== undefined) {
    const { StalledClients } = await import('./stalled-clients.js');
    policies.push(new StalledClients(writeTimeoutMs, context));
  }
  if (hooks.preRequest !== undefined || hooks.postRequest !== undefined) {
    const { RequestHookPolicy } = await import('./request-hooks.js');
    policies.push(new RequestHookPolicy(hooks, context));
  }
  if (config.sendfile) {
    const { takePipes } = await import('./files/pipe.js');
    // When the worker is ready, and before it has a request: node loads its file streams for it.
    policies.push({ server: () => void setImmediate(takePipes) });
  } else (await import('./files/on-socket.js')).setSendfile(false);
  const files = config.static.length > 0 ? new (await import('./files/static.js')).StaticFiles(config.static, config.staticMaxAgeMs) : undefined;
  if (files !== undefined) policies.push(files);
  if (config.sendfileRoot !== null) policies.push(new (await import('./files/x-sendfile.js')).XSendfile(config.sendfileRoot, context.log, () => files?.giveBack() === true));
  return new Edge(policies);
}
