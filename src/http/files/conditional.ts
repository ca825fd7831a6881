/** Conditional requests (RFC 9110 13), in the order of its section 13.2.2. Pure. */

export interface Validators {
  /** With its quotes, and `W/` where it is weak; undefined: none. */
  etag: string | undefined;
  /** Milliseconds, whole seconds; undefined: none. */
  lastModifiedMs: number | undefined;
}

export interface Conditions {
  'if-match'?: string | undefined;
  'if-none-match'?: string | undefined;
  'if-modified-since'?: string | undefined;
  'if-unmodified-since'?: string | undefined;
  'if-range'?: string | undefined;
}

/** What to do with a GET or HEAD of something that is there: answer 412 or 304, or go on. */
export function evaluate(conditions: Conditions, validators: Validators): 412 | 304 | undefined {
  const { etag, lastModifiedMs } = validators;
  if (conditions['if-match'] !== undefined) {
    if (!lists(conditions['if-match'], etag, 'strong')) return 412;
  } else if (conditions['if-unmodified-since'] !== undefined) {
    const since = parseDate(conditions['if-unmodified-since']);
    if (since !== undefined && lastModifiedMs !== undefined && lastModifiedMs > since) return 412;
  }
  if (conditions['if-none-match'] !== undefined) return lists(conditions['if-none-match'], etag, 'weak') ? 304 : undefined;
  const since = parseDate(conditions['if-modified-since'] ?? '');
  return since !== undefined && lastModifiedMs !== undefined && lastModifiedMs <= since ? 304 : undefined;
}

/** Whether a Range header is to be obeyed: If-Range says which version the range is of. */
export function rangeApplies(conditions: Conditions, validators: Validators): boolean {
  const given = conditions['if-range'];
  if (given === undefined) return true;
  if (given.includes('"')) return given.trim() === validators.etag && !given.trim().startsWith('W/');
  return validators.lastModifiedMs !== undefined && parseDate(given) === validators.lastModifiedMs;
}

const TAG = /(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g;

/** Whether a list of tags has this one: `strong`, only if neither is weak. `*` is whatever is there. */
function lists(header: string, etag: string | undefined, comparison: 'strong' | 'weak'): boolean {
  if (header.trim() === '*') return true;
  if (etag === undefined || (comparison === 'strong' && etag.startsWith('W/'))) return false;
  const opaque = etag.replace(/^W\//, '');
  return (header.match(TAG) ?? []).some((tag) => (comparison === 'strong' ? tag === etag : tag.replace(/^W\//, '') === opaque));
}

/** A date of HTTP. Date.parse takes `2` for one, and the one of its three forms that names no zone for local time (RFC 9110 5.6.7). */
function parseDate(text: string): number | undefined {
  if (!/^[A-Za-z]{3,9},? /.test(text)) return undefined;
  const ms = Date.parse(/ \d{4}$/.test(text) ? `${text} GMT` : text);
  return Number.isNaN(ms) ? undefined : ms;
}
