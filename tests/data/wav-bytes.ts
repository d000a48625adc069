/** A minimal RIFF/WAVE file, written by hand from the format's definition. */
export function wavBytes(
  samples: readonly number[],
  {
    rate = 8000,
    channels = 1,
    bits = 16,
    format = 1,
  }: Partial<Record<'rate' | 'channels' | 'bits' | 'format', number>> = {},
): Buffer {
  const width = bits / 8;
  const bytes = Buffer.alloc(44 + samples.length * width);
  bytes.write('RIFF', 0, 'latin1');
  bytes.writeUInt32LE(bytes.length - 8, 4);
  bytes.write('WAVEfmt ', 8, 'latin1');
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(format, 20);
  bytes.writeUInt16LE(channels, 22);
  bytes.writeUInt32LE(rate, 24);
  bytes.writeUInt32LE(rate * channels * width, 28);
  bytes.writeUInt16LE(channels * width, 32);
  bytes.writeUInt16LE(bits, 34);
  bytes.write('data', 36, 'latin1');
  bytes.writeUInt32LE(samples.length * width, 40);
  samples.forEach((sample, i) => {
    if (bits === 16) bytes.writeInt16LE(sample, 44 + 2 * i);
  });
  return bytes;
}
