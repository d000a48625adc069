import { parentPort, workerData } from 'node:worker_threads';
import { openTask } from './open-task.ts';
import { serveTraining } from './serve-training.ts';

// What `training-thread.ts` starts.
await serveTraining(parentPort!, workerData, openTask);
