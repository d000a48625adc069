import type { RandomStream } from '../../random/stream.ts';
import { CONTROL_MS, type Controls } from './articulation.ts';
import { SYNTHESIS_RATE } from './sample-rate.ts';
import type { Speaker } from './speaker.ts';

const STEP = (SYNTHESIS_RATE * CONTROL_MS) / 1000;
/** Uniform integers of 16 bits times this have unit variance. */
const UNIT_NOISE = Math.sqrt(12) / 65536;
/** The fourth formant hardly moves in speech. */
const FOURTH_FORMANT = 3400;
const FOURTH_BANDWIDTH = 250;
/** Formants are kept this far below half the sample rate, where a resonator would ring at the wrong place. */
const HIGHEST_FORMANT = 3750;

/**
 * Source-filter synthesis after Klatt (1980): glottal pulses of the KLGLOTT88 shape plus breath noise drive four resonators
 * in cascade; frication noise has a resonator of its own. The result has no fixed level.
 * @returns samples at `SYNTHESIS_RATE`
 */
export function vocalise(controls: Controls, speaker: Speaker, random: RandomStream): Float32Array {
  const audio = new Float32Array(controls.steps * STEP);
  const { formants, bandwidths, noise } = controls;
  // Resonator k: y[n] = a x[n] + b y[n−1] − c y[n−2] with unit gain at 0 Hz; p and q hold its last two outputs.
  let [p1, q1, p2, q2, p3, q3, p4, q4, pf, qf] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
  const c4 = decay(2 * FOURTH_BANDWIDTH);
  const b4 = feedback(Math.min(FOURTH_FORMANT * speaker.tractScale, HIGHEST_FORMANT), FOURTH_BANDWIDTH);
  const a4 = 1 - b4 + c4;
  let [voicing, aspiration, frication] = [0, 0, 0];
  let period = 1;
  let position = 1;
  let open = 1;
  let strength = 0;
  let glottal = 0;
  for (let step = 0; step < controls.steps; step++) {
    const c1 = decay(2 * bandwidths[3 * step]);
    const b1 = feedback(formants[3 * step], bandwidths[3 * step]);
    const a1 = 1 - b1 + c1;
    const c2 = decay(2 * bandwidths[3 * step + 1]);
    const b2 = feedback(formants[3 * step + 1], bandwidths[3 * step + 1]);
    const a2 = 1 - b2 + c2;
    const c3 = decay(2 * bandwidths[3 * step + 2]);
    const b3 = feedback(formants[3 * step + 2], bandwidths[3 * step + 2]);
    const a3 = 1 - b3 + c3;
    const cf = decay(2 * noise[2 * step + 1]);
    const bf = feedback(noise[2 * step], noise[2 * step + 1]);
    // Unit noise in, unit noise out.
    const af = Math.sqrt(((1 - cf) * ((1 + cf) ** 2 - bf * bf)) / (1 + cf));
    const voicingSlope = (controls.voicing[step] - voicing) / STEP;
    const aspirationSlope = (controls.aspiration[step] - aspiration) / STEP;
    const fricationSlope = (controls.frication[step] - frication) / STEP;
    const base = step * STEP;
    for (let i = 0; i < STEP; i++) {
      voicing += voicingSlope;
      aspiration += aspirationSlope;
      frication += fricationSlope;
      const white = (random.int32() >> 16) * UNIT_NOISE;
      if (position >= period) {
        position -= period;
        period = (SYNTHESIS_RATE / controls.pitchHz[step]) * (1 + speaker.jitter * (2 * random.uniform() - 1));
        open = speaker.openQuotient * period;
        strength = 1 + speaker.shimmer * (2 * random.uniform() - 1);
      }
      const x = position / open;
      const pulse = x < 1 ? strength * x * (2 - 3 * x) : 0;
      position += 1;
      glottal += (1 - speaker.tilt) * (pulse - glottal);
      const breath = 0.3 * white * (speaker.breathiness * voicing * (x < 1 ? 1 : 0.3) + aspiration);
      let y = a1 * (voicing * glottal + breath) + b1 * p1 - c1 * q1;
      q1 = p1;
      p1 = y;
      y = a2 * y + b2 * p2 - c2 * q2;
      q2 = p2;
      p2 = y;
      y = a3 * y + b3 * p3 - c3 * q3;
      q3 = p3;
      p3 = y;
      y = a4 * y + b4 * p4 - c4 * q4;
      q4 = p4;
      p4 = y;
      const f = af * white + bf * pf - cf * qf;
      qf = pf;
      pf = f;
      audio[base + i] = y + frication * f;
    }
  }
  return audio;
}

/** Radius of a resonator's poles, for a bandwidth in Hz (twice the bandwidth gives the squared radius). */
function decay(bandwidthHz: number): number {
  return Math.exp((-Math.PI * bandwidthHz) / SYNTHESIS_RATE);
}

function feedback(hertz: number, bandwidthHz: number): number {
  const frequency = Math.min(hertz, HIGHEST_FORMANT);
  return 2 * decay(bandwidthHz) * Math.cos((2 * Math.PI * frequency) / SYNTHESIS_RATE);
}
