/** The part of fft.js (radix-4, complex, sizes that are powers of two) that dpfl uses; the package has no types of its own. */
declare module 'fft.js' {
  export default class FFT {
    constructor(size: number);
    /** Spectrum of real input; writes only its first half, as pairs (real, imaginary). */
    realTransform(spectrum: Float64Array, input: Float64Array): void;
    /** Fills the second half of a spectrum of real input. */
    completeSpectrum(spectrum: Float64Array): void;
    /** Complex inverse, divided by the size. */
    inverseTransform(output: Float64Array, spectrum: Float64Array): void;
  }
}
