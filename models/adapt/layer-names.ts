import { ConfigError } from '../../errors.ts';
import type { Model } from '../../graph/ir.ts';
import { isMadeUp } from '../../graph/made-up-names.ts';
import { matches, nearNames } from '../../params/layer-patterns.ts';

/**
 * What each layer answers to: its name, and, where the exporter made that up (`onnx::MatMul_57`), the names of the nodes that read it
 * (`/encoder/layers.0/linear1/MatMul`), which still say what it is.
 */
export class LayerNames {
  readonly layers: readonly string[];
  private readonly names: ReadonlyMap<string, readonly string[]>;

  constructor(model: Model) {
    this.layers = model.weights;
    const readers = new Map<string, string[]>();
    for (const { name, inputs } of model.graph.nodes)
      for (const input of inputs) readers.set(input, [...(readers.get(input) ?? []), name]);
    this.names = new Map(
      model.weights.map((layer) => [layer, isMadeUp(layer) ? [layer, ...(readers.get(layer) ?? [])] : [layer]]),
    );
  }

  /**
   * The layers that at least one pattern fits.
   * @param key where the patterns stand in the configuration
   * @throws ConfigError when a pattern fits no layer, naming some that are like it
   */
  matching(patterns: readonly string[], key: string): Set<string> {
    const found = new Set<string>();
    for (const pattern of patterns) {
      const fitting = this.layers.filter((layer) => this.names.get(layer)!.some((name) => matches(pattern, name)));
      if (fitting.length === 0) throw this.unmatched(pattern, key);
      for (const layer of fitting) found.add(layer);
    }
    return found;
  }

  private unmatched(pattern: string, key: string): ConfigError {
    const near = nearNames(pattern, [...this.names.values()].flat()).map((name) => `'${name}'`);
    return new ConfigError(
      `${key}: '${pattern}' fits no layer of the model; layers like it are ${near.join(', ')} (dpfl model inspect lists all)`,
    );
  }
}
