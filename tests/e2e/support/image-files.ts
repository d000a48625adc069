import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { namedStream } from '../../../random/stream.ts';

const RECORD = 1 + 3 * 32 * 32;

/** A folder like CIFAR-10's binary version, with a few images of noise whose brightness tells the class. */
export function writeImages(folder: string, training: number, test: number): void {
  mkdirSync(folder, { recursive: true });
  const random = namedStream(1, 'noise images');
  const batch = (images: number) => {
    const bytes = Buffer.alloc(images * RECORD);
    for (let image = 0; image < images; image++) {
      const label = image % 10;
      const record = bytes.subarray(image * RECORD, (image + 1) * RECORD);
      for (let i = 1; i < RECORD; i++) record[i] = 20 * label + random.integer(40);
      record[0] = label;
    }
    return bytes;
  };
  writeFileSync(join(folder, 'data_batch_1.bin'), batch(training));
  writeFileSync(join(folder, 'test_batch.bin'), batch(test));
}
