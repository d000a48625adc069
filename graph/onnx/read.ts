import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { ModelError } from '../../errors.ts';
import {
  type Attribute,
  float32Tensor,
  type Graph,
  int64Tensor,
  type Model,
  type Node,
  type Tensor,
  type Value,
} from '../ir.ts';
import { weightNames } from '../weights.ts';
import { inlineFunctions } from './inline-functions.ts';
import { modulesOf, separateByModule } from './merged-by-module.ts';
import { separateInitializers } from './merged-initializers.ts';
import {
  type AttributeProto,
  attributeType,
  type GraphProto,
  type ModelProto,
  modelProto,
  type NodeProto,
  type ValueInfoProto,
} from './schema.ts';
import { dataTypeOf, decodeTensor } from './tensor.ts';

/** Reads an .onnx file, with external data beside it. @throws ModelError naming the file and what is wrong with it */
export function readModelFile(path: string): Model {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new ModelError(`${path}: cannot be read (${(error as Error).message}); check the path`);
  }
  return decodeModel(bytes, path, dirname(path));
}

/** Decodes the bytes of an .onnx file. `source` names it in errors; `folder` is where external data lies. */
export function decodeModel(bytes: Uint8Array, source: string, folder = '.'): Model {
  let proto: ModelProto;
  try {
    proto = modelProto.decode(bytes) as unknown as ModelProto;
  } catch {
    throw new ModelError(`${source}: is not an ONNX file (protobuf decoding failed); export the model again`);
  }
  if (!proto.graph?.node?.length) throw new ModelError(`${source}: holds no graph; is it really an ONNX model?`);
  const opset = proto.opsetImport?.find(({ domain }) => !domain || domain === 'ai.onnx');
  const node = inlineFunctions(proto, source);
  const written = {
    graph: decodeGraph({ ...proto.graph, node }, source, folder),
    initializers: (proto.graph.initializer ?? []).map((tensor) => tensor.name ?? ''),
  };
  requireProduced(written.graph, source);
  const { graph, initializers } = isFromPyTorch(proto)
    ? separateByModule(separateInitializers(written), modulesOf(node))
    : written;
  return {
    graph,
    opset: Number(opset?.version ?? 1),
    weights: weightNames(graph, initializers, namesParameters(proto)),
  };
}

const isFromPyTorch = ({ producerName }: ModelProto): boolean => /^pytorch$/i.test(producerName ?? '');

/** Whether the file's exporter calls parameters what the program called them; dpfl writes files of weights alone. */
const namesParameters = (proto: ModelProto): boolean =>
  isFromPyTorch(proto) || /^dpfl$/i.test(proto.producerName ?? '');

/** @throws ModelError when the graph gives a value that it does not have */
function requireProduced({ inputs, outputs, nodes, constants }: Graph, source: string): void {
  const produced = new Set([...inputs.map(({ name }) => name), ...nodes.flatMap((node) => node.outputs)]);
  const missing = outputs.find(({ name }) => !produced.has(name) && !constants.has(name));
  if (missing)
    throw new ModelError(
      `${source}: no node produces output '${missing.name}'; the file is damaged: export the model again`,
    );
}

function decodeGraph(proto: GraphProto, source: string, folder: string): Graph {
  const constants = new Map<string, Tensor>();
  for (const tensor of proto.initializer ?? []) {
    constants.set(tensor.name ?? '', decodeTensor(tensor, folder, `${source}: initializer '${tensor.name}'`));
  }
  const nodes: Node[] = [];
  for (const [index, node] of (proto.node ?? []).entries()) {
    const decoded = decodeNode(node, index, source, folder);
    const value = decoded.op === 'Constant' ? constantOf(decoded) : undefined;
    if (value) constants.set(decoded.outputs[0]!, value);
    else nodes.push(decoded);
  }
  return {
    name: proto.name ?? '',
    // Up to IR version 3 initializers were listed among the inputs as well.
    inputs: (proto.input ?? []).filter(({ name }) => !constants.has(name)).map((value) => decodeValue(value, source)),
    outputs: (proto.output ?? []).map((value) => decodeValue(value, source)),
    nodes,
    constants,
  };
}

/** The tensor of a Constant node, in any of its numeric spellings. */
function constantOf({ attributes }: Node): Tensor | undefined {
  const { value, value_int, value_ints, value_float, value_floats } = attributes;
  if (value?.kind === 'tensor') return value.value;
  if (value_int?.kind === 'int') return int64Tensor([], [value_int.value]);
  if (value_ints?.kind === 'ints') return int64Tensor([value_ints.value.length], value_ints.value);
  if (value_float?.kind === 'float') return float32Tensor([], [value_float.value]);
  if (value_floats?.kind === 'floats') return float32Tensor([value_floats.value.length], value_floats.value);
  return undefined;
}

function decodeNode(proto: NodeProto, index: number, source: string, folder: string): Node {
  const name = proto.name || `${proto.opType}_${index}`;
  const attributes = (proto.attribute ?? []).map((attribute) => [
    attribute.name,
    decodeAttribute(attribute, `${source}: node '${name}', attribute '${attribute.name}'`, folder),
  ]);
  return {
    name,
    op: proto.opType,
    domain: proto.domain === 'ai.onnx' ? '' : (proto.domain ?? ''),
    inputs: proto.input ?? [],
    outputs: proto.output ?? [],
    attributes: Object.fromEntries(attributes),
  };
}

function decodeAttribute(proto: AttributeProto, where: string, folder: string): Attribute {
  const utf8 = new TextDecoder();
  switch (proto.type) {
    case attributeType.int:
      return { kind: 'int', value: Number(proto.i ?? 0) };
    case attributeType.float:
      return { kind: 'float', value: proto.f ?? 0 };
    case attributeType.string:
      return { kind: 'string', value: utf8.decode(proto.s) };
    case attributeType.ints:
      return { kind: 'ints', value: (proto.ints ?? []).map(Number) };
    case attributeType.floats:
      return { kind: 'floats', value: proto.floats ?? [] };
    case attributeType.strings:
      return { kind: 'strings', value: (proto.strings ?? []).map((bytes) => utf8.decode(bytes)) };
    case attributeType.tensor:
      return { kind: 'tensor', value: decodeTensor(proto.t!, folder, where) };
    case attributeType.graph:
      return { kind: 'graph', value: decodeGraph(proto.g!, where, folder) };
    default:
      throw new ModelError(`${where}: attribute type ${proto.type} is not supported`);
  }
}

function decodeValue(proto: ValueInfoProto, source: string): Value {
  const tensor = proto.type?.tensorType;
  if (!tensor) return { name: proto.name, dtype: 'float32', shape: [] };
  const shape = (tensor.shape?.dim ?? []).map(
    (dim, axis) => dim.dimParam || Number(dim.dimValue ?? 0) || `${proto.name}_${axis}`,
  );
  return { name: proto.name, dtype: dataTypeOf(tensor.elemType, `${source}: value '${proto.name}'`), shape };
}
