import { z } from 'zod';
import { ModelError } from '../errors.ts';
import { floatsOfHalves, halvesOf, roundToHalves } from '../params/half-precision.ts';
import type { ParameterLayout } from '../params/layout.ts';
import { bytesOfFloats, bytesOfHalves, float32sOfBytes, halvesOfBytes } from '../proto/floats.ts';

/** In which format the parameters go to those who train. What comes back, exact sums, is never compressed. */
export const parameterTransport = z.enum(['float32', 'float16', 'bfloat16']);
export type ParameterTransport = z.infer<typeof parameterTransport>;

/** Bytes of one parameter on its way down. */
export function transportBytes(transport: ParameterTransport): number {
  return transport === 'float32' ? 4 : 2;
}

/**
 * The parameters from which clients train: what the format leaves of them. Rounded here, once, so that clients train from the same bits in
 * a worker, below an aggregator and in the server's own process.
 * @param into receives the rounded parameters, if there are any to round
 * @returns `parameters` itself for float32, else `into`
 * @throws ModelError when a finite parameter is beyond the format's range
 */
export function asTransported(
  parameters: Float32Array,
  transport: ParameterTransport,
  layout: ParameterLayout,
  into: Float32Array,
): Float32Array {
  if (transport === 'float32') return parameters;
  roundToHalves(parameters, transport, into);
  for (let i = 0; i < into.length; i++) {
    if (Number.isFinite(into[i]) || !Number.isFinite(parameters[i])) continue;
    const layer = layout.layers.find(({ offset, size }) => i < offset + size);
    const mend = transport === 'float16' ? 'bfloat16 or float32' : 'float32';
    throw new ModelError(
      `federation.transport: ${parameters[i]} in layer '${layer?.name}' is beyond the range of ${transport}; use ${mend}`,
    );
  }
  return into;
}

/** The little-endian bytes of parameters on the wire: a view of them for float32, else a copy; nothing is lost of what `asTransported` gave. */
export function bytesOfParameters(parameters: Float32Array, transport: ParameterTransport): Uint8Array {
  return transport === 'float32' ? bytesOfFloats(parameters) : bytesOfHalves(halvesOf(parameters, transport));
}

/** What `bytesOfParameters` wrote. @throws ProtocolError when the bytes are not whole values */
export function parametersOfBytes(bytes: Uint8Array, transport: ParameterTransport): Float32Array {
  return transport === 'float32' ? float32sOfBytes(bytes) : floatsOfHalves(halvesOfBytes(bytes), transport);
}
