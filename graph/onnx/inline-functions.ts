import { ModelError } from '../../errors.ts';
import type { AttributeProto, FunctionProto, ModelProto, NodeProto } from './schema.ts';

/** Deeper nesting means that functions call each other in a circle, which ONNX forbids. */
const deepest = 100;

type Functions = ReadonlyMap<string, FunctionProto>;

const keyOf = (domain: string | undefined, name: string): string => `${domain ?? ''}::${name}`;

/**
 * The nodes of a model with every call of one of its own functions replaced by the function's nodes, as exporters that build on
 * libraries of functions need it. Names inside get the call's name in front.
 * @throws ModelError when functions call each other in a circle
 */
export function inlineFunctions(model: ModelProto, source: string): NodeProto[] {
  const functions = new Map((model.functions ?? []).map((f) => [keyOf(f.domain, f.name), f]));
  const nodes = model.graph?.node ?? [];
  return functions.size === 0 ? nodes : nodes.flatMap((node, i) => inlined(node, i, functions, source, 0));
}

function inlined(node: NodeProto, index: number, functions: Functions, source: string, depth: number): NodeProto[] {
  const called = functions.get(keyOf(node.domain, node.opType));
  if (!called) return [node];
  if (depth === deepest)
    throw new ModelError(`${source}: function '${node.opType}' calls itself; export the model again`);
  const call = node.name || `${node.opType}_${index}`;
  const renamed = new Map((called.input ?? []).map((name, i) => [name, node.input?.[i] ?? '']));
  const passed = passedOutputs(called, node, renamed);
  for (const [i, name] of (called.output ?? []).entries()) {
    if (!renamed.has(name) && node.output?.[i]) renamed.set(name, node.output[i]);
  }
  const rename = (name: string): string => (name === '' ? '' : (renamed.get(name) ?? `${call}/${name}`));
  const body = (called.node ?? []).map((inner, i) => ({
    ...inner,
    name: `${call}/${inner.name || `${inner.opType}_${i}`}`,
    input: (inner.input ?? []).map(rename),
    output: (inner.output ?? []).map(rename),
    attribute: (inner.attribute ?? []).flatMap((attribute) => resolved(attribute, node, called)),
    metadataProps: node.metadataProps ?? [],
  }));
  return [...body.flatMap((inner, i) => inlined(inner, i, functions, source, depth + 1)), ...passed];
}

/** Outputs that are inputs handed through, which need a node to have both names. */
function passedOutputs(called: FunctionProto, node: NodeProto, inputs: ReadonlyMap<string, string>): NodeProto[] {
  return (called.output ?? []).flatMap((name, i) => {
    const [from, to] = [inputs.get(name), node.output?.[i]];
    return from && to ? [{ opType: 'Identity', name: `${to}/passed`, input: [from], output: [to] }] : [];
  });
}

/** An attribute that refers to one of the call's gets its value, or the function's default; without either it is left out. */
function resolved(attribute: AttributeProto, call: NodeProto, called: FunctionProto): AttributeProto[] {
  const reference = attribute.refAttrName;
  if (!reference) return [attribute];
  const given = [...(call.attribute ?? []), ...(called.attributeProto ?? [])].find(({ name }) => name === reference);
  return given ? [{ ...given, name: attribute.name }] : [];
}
