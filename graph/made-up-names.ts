/** Names that an exporter made up: nobody can be expected to know them. */
const numbered = /^(onnx::|_?(val|t)_\d+$|constant|\d+$)/i;

/** Operators after which PyTorch's exporter (torch.export) calls the values it computed from constants, with or without a number. */
const operators = [
  '_?to_copy _?unsafe_view abs add add_tensor alias amax amin arange argmax baddbmm bitwise_not bmm broadcast_to cat ceil clamp clamp_max clamp_min clone',
  'constant_pad_nd convert_element_type copy cos cumsum detach diag div div_tensor einsum empty eq exp expand expand_as exp2 eye flip floor floor_divide full',
  'full_like gather ge getitem gt index_select le lift_fresh_copy linspace log logical_and logical_not logical_or logspace lt masked_fill matmul maximum',
  'meshgrid minimum mm mul mul_tensor ne neg new_full new_ones new_tensor new_zeros normalize ones ones_like outer permute pow reciprocal remainder repeat repeat_interleave',
  'reshape roll rsqrt rsub scalar_tensor sigmoid sign sin slice softmax split sqrt squeeze stack sub sub_tensor tanh tensor_split tile transpose tril triu',
  'true_divide type_as unbind unfold unsqueeze view where zeros zeros_like',
].flatMap((line) => line.split(' '));

const computed = new RegExp(`^(_?val_\\d+|tmp(_\\d+)?|\\w+_cast(_\\d+)?|(${operators.join('|')})(_default)?(_\\d+)?)$`);

/** Tensors written in a model's code as literals. */
const literal = /(^|\.)_?(c_)?(lifted_tensor|_?tensor_constant|lift_fresh_copy)_?\d*$/;

/** Whether an exporter made the name up. */
export function isMadeUp(name: string): boolean {
  return numbered.test(name);
}

/** Whether a name is that of a value which the exporter computed, or found as a literal: an operator's name, or `val_7`. */
export function isComputed(name: string): boolean {
  return computed.test(name) || literal.test(name);
}
