/**
 * The typed errors of dpfl. Rooms throw them; only the command line prints them.
 * Each message is one line that says where (file, key), what is wrong, and how to mend it.
 */
export abstract class DpflError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** A configuration file, a `--set` override or a command-line flag is wrong. */
export class ConfigError extends DpflError {}

/** A data set, an audio file or an image file is missing or malformed. */
export class DataError extends DpflError {}

/** An ONNX model cannot be read, differentiated or run. */
export class ModelError extends DpflError {}

/** A privacy parameter is out of range, or a combination would make the reported epsilon wrong. */
export class PrivacyError extends DpflError {}

/** A peer broke the wire protocol, or the network between server and workers failed. */
export class ProtocolError extends DpflError {}
