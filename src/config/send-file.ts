/** Types of sendFile() in the public API. Rank 1: the API must name them without loading what serves files. */

export interface SendFileOptions {
  /** The path is below this directory and may not leave it: `..` and symbolic links are refused (EXDEV, ELOOP). */
  root?: string;
  /** Default: by the extension of the path. A Content-Type set on the response comes before both. */
  contentType?: string;
  /** Default: none. */
  cacheControl?: string;
}

export interface SendFileResult {
  /** 200, 206, 304, 405, 412 or 416; or the `statusCode` the response had, if it was not 200. */
  status: number;
  /** Whether all of the response went out: false when the client went away, or the file became shorter while it was sent. */
  complete: boolean;
}
