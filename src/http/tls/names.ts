/** Which certificate a host name gets. Pure. */

/** The key in `names` for what a client calls us by: the exact name, else the wildcard one level up; undefined: none. */
export function certificateFor(serverName: string, names: Readonly<Record<string, unknown>>): string | undefined {
  // Names are compared without case and without the dot at the end of a full one (RFC 6066 3 has none, clients do).
  const name = serverName.toLowerCase().replace(/\.$/, '');
  if (Object.hasOwn(names, name)) return name;
  const dot = name.indexOf('.');
  const wildcard = dot < 1 ? '' : `*${name.slice(dot)}`;
  return wildcard !== '' && Object.hasOwn(names, wildcard) ? wildcard : undefined;
}
