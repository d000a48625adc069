/** What a loss writes into the graph: its mean over the batch, and the gradient of that mean with respect to the logits. */
export interface LossValues {
  /** float32 scalar. */
  readonly loss: string;
  /** float32, shape of the logits. */
  readonly logitsGradient: string;
}
