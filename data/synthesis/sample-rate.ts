/** Synthetic speech is made at this rate (samples per second): telephone bandwidth, enough to tell digits apart. */
export const SYNTHESIS_RATE = 8000;
