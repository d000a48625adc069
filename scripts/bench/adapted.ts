import { layersOf } from '../../graph/forward.ts';
import { elementCount } from '../../graph/ir.ts';
import { adaptModel } from '../../models/adapt/adapt.ts';
import { trainConfig } from '../../models/config.ts';
import { timeOfClient } from './step.ts';
import { transformerWorkload } from './workloads.ts';

const warmUps = 1;
const rounds = 8;

/** What of the transformer is trained, by the `train` section that says so. */
const sections: Readonly<Record<string, unknown>> = {
  everything: {},
  'LoRA of rank 8 on every matrix': { lora: { rank: 8 } },
  'LoRA of rank 8 on `*.wqkv.*`': { lora: { rank: 8, targets: ['*.wqkv.*'] } },
  'the last block and the output': { include: ['block6.*', 'output.*'] },
  'the output layer': { include: ['output.*'] },
};

/** Milliseconds per local step when only a part of the model is trained. Runs alternate; the fastest of each counts. */
export async function benchAdapted(): Promise<void> {
  const workload = transformerWorkload();
  const clients = await Promise.all(
    Object.entries(sections).map(async ([title, section]) => {
      const { model, trained } = adaptModel(workload.model, { train: trainConfig.parse(section) });
      return { title, trained, time: await timeOfClient({ ...workload, model }), fastest: Number.POSITIVE_INFINITY };
    }),
  );
  for (let round = 0; round < warmUps + rounds; round++) {
    for (const client of clients) {
      const each = (await client.time(round)) / workload.steps;
      if (round >= warmUps) client.fastest = Math.min(client.fastest, each);
    }
  }
  const all = layersOf(workload.model).reduce((sum, { shape }) => sum + elementCount(shape), 0);
  const whole = clients[0]!.fastest;
  console.log(`${workload.title}, ${all} parameters, one thread, fastest of ${rounds} clients\n`);
  console.log('| trained | parameters | ms per local step | of everything |\n|---|---|---|---|');
  for (const { title, trained, fastest } of clients) {
    console.log(
      `| ${title} | ${trained.toLocaleString('en-US')} | ${fastest.toFixed(1)} | ${(fastest / whole).toFixed(2)} |`,
    );
  }
}
