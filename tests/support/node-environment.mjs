import { TestEnvironment } from 'jest-environment-node';

/**
 * Jest gives each test file its own realm, with its own typed-array constructors. onnxruntime-node checks its inputs with
 * `instanceof` against the outer realm's, so tests share those.
 */
export default class SharedTypedArraysEnvironment extends TestEnvironment {
  async setup() {
    await super.setup();
    for (const type of [
      ArrayBuffer,
      Uint8Array,
      Int8Array,
      Uint16Array,
      Int16Array,
      Uint32Array,
      Int32Array,
      BigInt64Array,
      BigUint64Array,
      Float32Array,
      Float64Array,
      Uint8ClampedArray,
    ]) {
      this.global[type.name] = type;
    }
  }
}
