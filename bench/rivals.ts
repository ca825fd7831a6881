/** All rivals, in the order in which tables show them. A new one is a file in rivals/ and a line here. */
import type { Rival } from './rival.js';
import bun from './rivals/bun.js';
import drover from './rivals/drover.js';
import floor from './rivals/floor.js';
import nginx from './rivals/nginx.js';
import node from './rivals/node.js';
import pm2 from './rivals/pm2.js';
import python from './rivals/python.js';
import staticFiles from './rivals/static.js';

export const RIVALS: readonly Rival[] = [...drover, ...node, ...pm2, ...bun, ...python, ...nginx, ...floor, ...staticFiles];
