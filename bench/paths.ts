/** Where the bench keeps its things. dist/bench/paths.js is two folders below the root of the project. */
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const APPS = `${ROOT}bench/apps/`;
export const NATIVE = `${ROOT}bench/native/`;
export const RESULTS = `${ROOT}bench/results/`;
export const DOCS = `${ROOT}docs/`;
/** Compiled C and rivals from npm. Not under build/, which node-gyp empties. */
export const CACHE = `${ROOT}.cache/bench/`;
