import { runWorker } from '../../client/worker.ts';
import { transportContext } from './transport-task.ts';

/** A worker of the transport benchmark: `transport-worker.js <server> <parameters>`. */
const [, , server] = process.argv;
await runWorker({ server: server!, name: `worker-${process.pid}`, openTask: async () => transportContext() });
process.disconnect?.();
