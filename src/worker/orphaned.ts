/**
 * The one line of drover's log that a worker writes: its master, who writes all others, is gone. In the worker.
 */
import type { WorkerConfig } from '../config/worker-config.js';

export async function tellOrphaned({ logFile, logFormat, logLevel }: WorkerConfig, fields: Record<string, unknown>): Promise<void> {
  try {
    const { Logger } = await import('../log/logger.js');
    new Logger({ file: logFile, format: logFormat, level: logLevel }).emit('worker.orphaned', fields);
  } catch {
    // The file cannot be opened any more, or drover has been replaced: nobody is left to tell.
  }
}
