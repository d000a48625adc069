import type { GraphBuilder } from './builder.ts';
import type { Node } from './ir.ts';
import { activateInBlocks, blockConvolutions, type ChannelBlock } from './rewrites/blocked-convolutions.ts';
import { shareCommonSubexpressions } from './rewrites/common-subexpressions.ts';
import { removeDeadCode } from './rewrites/dead-code.ts';
import { turnProductsOfFewRows } from './rewrites/few-rows.ts';
import { fuseUpdates } from './rewrites/fused-update.ts';
import { sumPlacesFirst } from './rewrites/group-norm-gradients.ts';
import { multiplyPatches } from './rewrites/patch-products.ts';
import { poolBeforeActivation } from './rewrites/pool-before-activation.ts';
import { foldIntoProducts } from './rewrites/product-operands.ts';
import { recogniseGelu } from './rewrites/recognised-gelu.ts';
import { recogniseLayerNorm } from './rewrites/recognised-layer-norm.ts';
import type { Rewrite } from './rewrites/rewrite.ts';
import { joinScalarFactors } from './rewrites/scalar-factors.ts';
import { scaleAndShiftAtOnce } from './rewrites/scale-and-shift.ts';
import { shareGelu } from './rewrites/shared-gelu.ts';
import { transposeNarrowFactors } from './rewrites/transposed-factors.ts';
import { removeUndoneMoves } from './rewrites/undone-moves.ts';

/** Rewrites of the forward graph that pay twice when they come before differentiation. */
const forwardRewrites: readonly Rewrite[] = [
  recogniseLayerNorm,
  recogniseGelu,
  poolBeforeActivation,
  multiplyPatches,
  removeDeadCode,
];

/** What a graph is made for. */
export interface Target {
  /** For processors with this block of channels alone; undefined: for all. */
  readonly block?: ChannelBlock | undefined;
  /** Largest mini-batch to expect. Default: a small one. */
  readonly batchSize?: number | undefined;
}

/** Rewrites of a whole graph, in order. */
const rewrites = ({ block, batchSize = 1 }: Target): readonly Rewrite[] => [
  removeDeadCode,
  shareCommonSubexpressions,
  joinScalarFactors,
  sumPlacesFirst,
  fuseUpdates(batchSize),
  shareGelu,
  scaleAndShiftAtOnce,
  ...(block === undefined ? [] : [blockConvolutions(block), activateInBlocks]),
  removeUndoneMoves,
  foldIntoProducts,
  transposeNarrowFactors,
  turnProductsOfFewRows(batchSize),
  shareCommonSubexpressions,
  removeDeadCode,
];

/**
 * Makes a written graph smaller and faster. Names and numbers of `outputs` stay, up to rounding.
 * @param outputs the values that the graph will give
 */
export function optimise(b: GraphBuilder, outputs: readonly string[], target: Target = {}): void {
  for (const rewrite of rewrites(target)) rewrite(b, outputs);
}

/**
 * Prepares the forward nodes for differentiation.
 * @param nodes the forward nodes, the last that were written
 * @param outputs the values of the forward graph that will be read
 * @returns the forward nodes that now stand in their place
 */
export function optimiseForward(b: GraphBuilder, nodes: readonly Node[], outputs: readonly string[]): readonly Node[] {
  const before = b.nodes.splice(0, b.nodes.length - nodes.length);
  for (const rewrite of forwardRewrites) rewrite(b, outputs);
  const forward = b.nodes.splice(0);
  b.nodes.push(...before, ...forward);
  return forward;
}
