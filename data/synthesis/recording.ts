import type { RandomStream } from '../../random/stream.ts';
import type { Speaker } from './speaker.ts';

/**
 * Records speech in place with the speaker's microphone (a first-order tilt) at the speaker's level, and adds coloured
 * background noise at the speaker's signal-to-noise ratio.
 */
export function record(audio: Float32Array, speaker: Speaker, random: RandomStream): void {
  const { microphone } = speaker;
  let previous = 0;
  let energy = 0;
  for (let i = 0; i < audio.length; i++) {
    const sample = audio[i] - microphone * previous;
    previous = audio[i];
    audio[i] = sample;
    energy += sample * sample;
  }
  const level = 10 ** (speaker.levelDb / 20);
  const gain = level / Math.sqrt(energy / audio.length + 1e-20);
  // A one-pole filter driven by unit-variance noise scaled by sqrt(1 − colour²) has unit variance again.
  const { noiseColour } = speaker;
  const deviation = level * 10 ** (-speaker.snrDb / 20);
  const drive = deviation * Math.sqrt(1 - noiseColour * noiseColour) * (Math.sqrt(12) / 65536);
  let noise = 0;
  let draw = 0;
  for (let i = 0; i < audio.length; i++) {
    // One draw of 32 bits serves two samples.
    draw = i % 2 === 0 ? random.int32() : draw << 16;
    noise = noiseColour * noise + drive * (draw >> 16);
    audio[i] = audio[i] * gain + noise;
  }
}
