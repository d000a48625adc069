import { ConfigError, DataError, ModelError, PrivacyError, ProtocolError } from '../errors.ts';

const types = { ConfigError, DataError, ModelError, PrivacyError, ProtocolError };

/** An error on its way to another thread: the copy that a message makes has no class of ours any more. */
export interface CarriedError {
  /** Undefined for errors that nobody expects. */
  readonly type: keyof typeof types | undefined;
  readonly message: string;
  readonly stack: string | undefined;
  readonly cause: CarriedError | undefined;
}

/** What `arrivedError` makes the error of again, causes too. */
export function carriedError(error: unknown): CarriedError {
  if (!(error instanceof Error)) return { type: undefined, message: String(error), stack: undefined, cause: undefined };
  const { message, stack, cause } = error;
  const names = Object.keys(types) as (keyof typeof types)[];
  return {
    type: names.find((name) => error instanceof types[name]),
    message,
    stack,
    cause: cause === undefined ? undefined : carriedError(cause),
  };
}

/** The error that was carried: of the same typed class, with the stack of where it was thrown. */
export function arrivedError({ type, message, stack, cause }: CarriedError): Error {
  const options = cause && { cause: arrivedError(cause) };
  const error = type === undefined ? new Error(message, options) : new types[type](message, options);
  if (stack !== undefined) error.stack = stack;
  return error;
}
