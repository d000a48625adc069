import { describe, expect, test } from '@jest/globals';
import { asTransported, bytesOfParameters, parametersOfBytes } from '../../client/parameter-transport.ts';
import { ModelError } from '../../errors.ts';
import { ParameterLayout } from '../../params/layout.ts';

const layout = new ParameterLayout([
  { name: 'weight', shape: [2, 2] },
  { name: 'bias', shape: [2] },
]);
const parameters = Float32Array.of(0.1, -1 / 3, 1e-7, 5, 2000.5, 7e4);

describe('the transport of parameters', () => {
  test('float32 copies nothing', () => {
    const into = layout.allocate();
    expect(asTransported(parameters, 'float32', layout, into)).toBe(parameters);
    expect(bytesOfParameters(parameters, 'float32').buffer).toBe(parameters.buffer);
  });

  test('16-bit formats take two bytes a parameter, and lose nothing of parameters that were rounded before', () => {
    const rounded = asTransported(parameters, 'bfloat16', layout, layout.allocate());
    expect(rounded).toEqual(Float32Array.of(0.10009765625, -0.333984375, 215 * 2 ** -31, 5, 2000, 70144));
    const bytes = bytesOfParameters(rounded, 'bfloat16');
    expect(bytes).toHaveLength(12);
    expect([...bytes.subarray(6, 8)]).toEqual([0xa0, 0x40]);
    expect(parametersOfBytes(bytes, 'bfloat16')).toEqual(rounded);
  });

  test('a parameter beyond the range names its layer and the way out', () => {
    const rounding = () => asTransported(parameters, 'float16', layout, layout.allocate());
    expect(rounding).toThrow(ModelError);
    expect(rounding).toThrow(
      "federation.transport: 70000 in layer 'bias' is beyond the range of float16; use bfloat16 or float32",
    );
  });
});
