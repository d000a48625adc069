import type { MessagePort } from 'node:worker_threads';
import { carriedError } from './carried-error.ts';
import { type LeaseTrainer, type OpenTask, trainingHere } from './lease-trainer.ts';
import { type TrainingAnswer, type TrainingRequest, type TrainingStart, wholeBuffer } from './training-messages.ts';

/**
 * The training thread's side: opens the task and trains leases as they are asked for. When it is told to close, or the task cannot be
 * opened, nothing is left to do, and the thread ends.
 */
export async function serveTraining(
  port: MessagePort,
  { task, model }: TrainingStart,
  openTask: OpenTask,
): Promise<void> {
  const answer = (answer: TrainingAnswer, buffers: readonly ArrayBuffer[] = []) => port.postMessage(answer, buffers);
  let trainer: LeaseTrainer;
  try {
    trainer = await trainingHere(openTask)(task, model);
  } catch (error) {
    answer({ error: carriedError(error) });
    return;
  }
  answer({});
  let lease = new AbortController();
  port.on('message', async (request: TrainingRequest) => {
    switch (request.kind) {
      case 'take':
        trainer.take(request.parameters);
        break;
      case 'abort':
        lease.abort();
        break;
      case 'close':
        lease.abort();
        port.close();
        break;
      case 'train':
        lease = new AbortController();
        try {
          const shard = await trainer.train(request.lease, lease.signal);
          answer({ shard }, [wholeBuffer(shard.payload)]);
        } catch (error) {
          answer({ error: carriedError(error) });
        }
    }
  });
}
