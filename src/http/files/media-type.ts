/** The media type of a file by its name: mrmime's table, which is small and needs nothing. */
import { lookup } from 'mrmime';

/** With a charset where the type has one and none is said in the file itself. */
export function mediaTypeOf(name: string): string {
  const extension = /\.([^./]+)$/.exec(name)?.[1];
  const type = (extension === undefined ? undefined : lookup(extension)) ?? 'application/octet-stream';
  return /^text\/|^application\/(?:json|manifest\+json|ld\+json)$/.test(type) ? `${type}; charset=utf-8` : type;
}
