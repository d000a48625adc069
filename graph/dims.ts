import type { Dim } from './ir.ts';

/**
 * Arithmetic on dimensions that may be symbolic. Two symbolic dimensions are known to be equal only when their
 * expressions are spelled alike, which is enough for shapes that flow through a graph.
 */
export function addDims(a: Dim, b: Dim): Dim {
  if (typeof a === 'number' && typeof b === 'number') return a + b;
  if (a === 0) return b;
  if (b === 0) return a;
  return `(${a}+${b})`;
}

export function subtractDims(a: Dim, b: Dim): Dim {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (b === 0) return a;
  if (a === b) return 0;
  return `(${a}-${b})`;
}

export function floorDivideDims(a: Dim, b: Dim): Dim {
  if (typeof a === 'number' && typeof b === 'number') return Math.floor(a / b);
  if (b === 1) return a;
  if (a === b) return 1;
  const quotient = cancelProduct([a], [b]);
  return quotient ?? `floor(${a}/${b})`;
}

export function multiplyDims(a: Dim, b: Dim): Dim {
  return productOfDims([a, b]);
}

/** Product in a canonical spelling: the number first, then the symbolic factors in order. */
export function productOfDims(dims: readonly Dim[]): Dim {
  let number = 1;
  const symbols: string[] = [];
  for (const factor of dims.flatMap(factorsOf)) {
    if (typeof factor === 'number') number *= factor;
    else symbols.push(factor);
  }
  if (number === 0 || symbols.length === 0) return number;
  symbols.sort();
  return [...(number === 1 ? [] : [number]), ...symbols].join('*');
}

/** Whether all sizes are known at compile time. */
export function areKnown(shape: readonly Dim[]): shape is readonly number[] {
  return shape.every((size) => typeof size === 'number');
}

/** Whether two shapes have the same rank, and the same size wherever both state one. */
export function agree(a: readonly Dim[], b: readonly Dim[]): boolean {
  return (
    a.length === b.length && a.every((size, i) => [size, b[i]].some((s) => typeof s === 'string') || size === b[i])
  );
}

/** Number of elements; sizes known only when the graph runs count as 1. */
export function knownCount(shape: readonly Dim[]): number {
  return shape.reduce<number>((product, size) => product * (typeof size === 'number' ? size : 1), 1);
}

/** numerator / denominator when every symbolic factor cancels or remains above; undefined when it does not divide. */
export function cancelProduct(numerator: readonly Dim[], denominator: readonly Dim[]): Dim | undefined {
  const above = numerator.flatMap(factorsOf);
  let divisor = 1;
  for (const factor of denominator.flatMap(factorsOf)) {
    if (typeof factor === 'number') {
      divisor *= factor;
      continue;
    }
    const at = above.indexOf(factor);
    if (at < 0) return undefined;
    above.splice(at, 1);
  }
  const number = above.reduce<number>(
    (product, factor) => (typeof factor === 'number' ? product * factor : product),
    1,
  );
  if (number % divisor !== 0) return undefined;
  return productOfDims([number / divisor, ...above.filter((factor) => typeof factor === 'string')]);
}

/** The factors of a product as `productOfDims` spells it; a `*` inside parentheses belongs to a deeper expression. */
function factorsOf(dim: Dim): Dim[] {
  if (typeof dim === 'number') return [dim];
  const factors: Dim[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i <= dim.length; i++) {
    if (dim[i] === '(') depth++;
    if (dim[i] === ')') depth--;
    if (i === dim.length || (dim[i] === '*' && depth === 0)) {
      const factor = dim.slice(start, i);
      factors.push(/^\d+$/.test(factor) ? Number(factor) : factor);
      start = i + 1;
    }
  }
  return factors;
}
