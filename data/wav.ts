import { readFileSync } from 'node:fs';
import wavefile from 'wavefile';
import { DataError } from '../errors.ts';

interface WavFormat {
  readonly audioFormat: number;
  readonly numChannels: number;
  readonly sampleRate: number;
  readonly bitsPerSample: number;
}

/** `samples` are the bytes found; `chunkSize` is how many the header promises. */
interface WavData {
  readonly chunkSize: number;
  readonly samples: Uint8Array;
}

/**
 * Samples of a mono 16-bit PCM WAV file in −1 … 1. The RIFF container is parsed by wavefile; the samples are converted here
 * because its own conversion takes 270 µs for half a second of audio, this one about 10 µs.
 * @throws DataError naming the file when it is unreadable, truncated, empty, or of another rate, width or channel count
 */
export function readWav(path: string, sampleRate: number): Float32Array {
  let format: WavFormat;
  let data: WavData;
  try {
    const file = new wavefile.WaveFile(readFileSync(path));
    format = file.fmt as WavFormat;
    data = file.data as WavData;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DataError(`${path}: cannot be read as WAV (${reason}); replace the file`, { cause });
  }
  if (format.numChannels !== 1) throw new DataError(`${path}: has ${format.numChannels} channels; convert it to mono`);
  if (format.sampleRate !== sampleRate) {
    throw new DataError(
      `${path}: is sampled at ${format.sampleRate} Hz, expected ${sampleRate}; resample it or set data.features.sampleRate`,
    );
  }
  if (format.audioFormat !== 1 || format.bitsPerSample !== 16) {
    throw new DataError(
      `${path}: is WAV format ${format.audioFormat} with ${format.bitsPerSample} bits; convert it to 16-bit PCM`,
    );
  }
  const bytes = data.samples;
  if (bytes.length !== data.chunkSize) {
    throw new DataError(
      `${path}: is truncated, ${bytes.length} of ${data.chunkSize} bytes of audio are there; replace the file`,
    );
  }
  if (bytes.length < 2 || bytes.length % 2 !== 0)
    throw new DataError(`${path}: holds ${bytes.length} bytes of audio, not whole 16-bit samples; replace the file`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const audio = new Float32Array(bytes.length / 2);
  for (let i = 0; i < audio.length; i++) audio[i] = view.getInt16(2 * i, true) / 32768;
  return audio;
}
