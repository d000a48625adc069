/**
 * Which loss is trained. `output` names the model's output it is taken of (default: the first floating-point one), `target` the field of the
 * data it is compared with (default: what the data's task fixes).
 */
export type LossSpec = { readonly output?: string | undefined; readonly target?: string | undefined } & (
  | ({ readonly kind: 'cross-entropy' } & CrossEntropyOptions)
  /** `blank` is the position of the blank among the model's symbols. */
  | { readonly kind: 'ctc'; readonly blank?: number | undefined }
  | { readonly kind: 'mse' | 'bce' }
  /** The model computes its loss itself: `output` is a scalar. */
  | { readonly kind: 'output' }
);

/** As PyTorch's CrossEntropyLoss has them. */
export interface CrossEntropyOptions {
  /** In [0, 1): the part of the target that is spread evenly over all classes. */
  readonly labelSmoothing?: number | undefined;
  /** One weight per class; the loss is the mean weighted with the weights of the examples' labels. */
  readonly classWeights?: readonly number[] | undefined;
}
