/** Where an app is mounted (SCRIPT_NAME), and what a request target is below that. Pure. In the worker. */

/** The path a header names, without slashes at its end; undefined: not a path. */
export function parseMount(text: string): string | undefined {
  if (text === '' || text === '/') return '';
  // A path as it stands in a request target: nothing that ends or changes one.
  if (text.charCodeAt(0) !== SLASH || text.startsWith('//') || !/^[!$-;=@-Z\\_a-z~]+$/.test(text) || text.includes('\\')) return undefined;
  return text.replace(/\/+$/, '');
}

/**
 * A request target below a mount, without it: `/app/x?y` → `/x?y`, `/app` → `/`. undefined: it is outside. Whole segments count. A target without a
 * path (`*`, HOST:PORT) has nothing to be mounted.
 */
export function stripMount(target: string, mount: string): string | undefined {
  if (target.charCodeAt(0) !== SLASH) {
    const [origin] = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i.exec(target) ?? [];
    if (origin === undefined) return target;
    const given = target.slice(origin.length);
    const path = stripMount(given.charCodeAt(0) === SLASH ? given : `/${given}`, mount);
    return path === undefined ? undefined : origin + path;
  }
  if (!target.startsWith(mount)) return undefined;
  const next = target.charCodeAt(mount.length);
  if (next === SLASH) return target.slice(mount.length);
  return next === QUESTION || Number.isNaN(next) ? `/${target.slice(mount.length)}` : undefined;
}

const SLASH = '/'.charCodeAt(0);
const QUESTION = '?'.charCodeAt(0);
