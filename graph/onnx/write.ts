import type { Attribute, Graph, Model, Node, Tensor, Value } from '../ir.ts';
import {
  type AttributeProto,
  attributeType,
  type GraphProto,
  modelProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from './schema.ts';
import { dataTypeCode, tensorBytes } from './tensor.ts';

/** IR version 10 belongs to opset 21 (ONNX 1.16); every runtime that knows the opset reads it. */
const irVersion = 10;

/** Encodes a model as the bytes of an .onnx file. */
export function encodeModel(model: Model): Uint8Array {
  const message = modelProto.create({
    irVersion,
    producerName: 'dpfl',
    graph: encodeModelGraph(model),
    opsetImport: [
      { domain: '', version: model.opset },
      { domain: 'com.microsoft', version: 1 },
      ...(usesBlocks(model.graph) ? [{ domain: 'com.microsoft.nchwc', version: 1 }] : []),
    ],
  });
  return modelProto.encode(message).finish();
}

/** Whether the graph, or a body in it, has onnxruntime's operators on blocks of channels. */
function usesBlocks({ nodes }: Graph): boolean {
  return nodes.some(
    ({ domain, attributes }) =>
      domain === 'com.microsoft.nchwc' ||
      Object.values(attributes).some((attribute) => attribute.kind === 'graph' && usesBlocks(attribute.value)),
  );
}

/** A model with weights keeps them as initializers and writes its other constants as Constant nodes, so that readers tell them apart. */
function encodeModelGraph({ graph, weights }: Model): GraphProto {
  if (weights.length === 0) return encodeGraph(graph);
  const tables = [...graph.constants].filter(([name]) => !weights.includes(name));
  const constantNodes = tables.map(
    ([name, value]): Node => ({
      name,
      op: 'Constant',
      domain: '',
      inputs: [],
      outputs: [name],
      attributes: { value: { kind: 'tensor', value } },
    }),
  );
  const constants = new Map(weights.map((name) => [name, graph.constants.get(name)!]));
  return encodeGraph({ ...graph, nodes: [...constantNodes, ...graph.nodes], constants });
}

function encodeGraph(graph: Graph): GraphProto {
  return {
    name: graph.name || 'graph',
    node: graph.nodes.map(encodeNode),
    initializer: [...graph.constants].map(([name, tensor]) => encodeTensor(name, tensor)),
    input: graph.inputs.map(encodeValue),
    output: graph.outputs.map(encodeValue),
  };
}

function encodeNode(node: Node): NodeProto {
  return {
    name: node.name,
    opType: node.op,
    domain: node.domain,
    input: [...node.inputs],
    output: [...node.outputs],
    attribute: Object.entries(node.attributes).map(([name, attribute]) => encodeAttribute(name, attribute)),
  };
}

function encodeAttribute(name: string, attribute: Attribute): AttributeProto {
  const type = attributeType[attribute.kind];
  const utf8 = new TextEncoder();
  switch (attribute.kind) {
    case 'int':
      return { name, type, i: attribute.value };
    case 'float':
      return { name, type, f: attribute.value };
    case 'string':
      return { name, type, s: utf8.encode(attribute.value) };
    case 'ints':
      return { name, type, ints: [...attribute.value] };
    case 'floats':
      return { name, type, floats: [...attribute.value] };
    case 'strings':
      return { name, type, strings: attribute.value.map((value) => utf8.encode(value)) };
    case 'tensor':
      return { name, type, t: encodeTensor('', attribute.value) };
    case 'graph':
      return { name, type, g: encodeGraph(attribute.value) };
  }
}

function encodeTensor(name: string, tensor: Tensor): TensorProto {
  return { name, dims: [...tensor.dims], dataType: dataTypeCode(tensor.dtype), rawData: tensorBytes(tensor) };
}

function encodeValue(value: Value): ValueInfoProto {
  const dim = value.shape.map((size) => (typeof size === 'number' ? { dimValue: size } : { dimParam: size }));
  return { name: value.name, type: { tensorType: { elemType: dataTypeCode(value.dtype), shape: { dim } } } };
}
