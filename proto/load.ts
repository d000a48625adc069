import { fileURLToPath } from 'node:url';
import { type ChannelOptions, loadPackageDefinition, logVerbosity, setLogVerbosity } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { ProtoGrpcType } from './generated/aggregation.ts';

/** Raised whenever server and workers of different versions would misunderstand each other, or come to different bits. */
export const PROTOCOL_VERSION = 6;

/** No message is larger than this, in either direction; payloads travel in chunks. */
export const MAX_MESSAGE_BYTES = 1024 * 1024;

/** Channel options that both ends share. */
export const wireOptions: ChannelOptions = {
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
  'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
};

// grpc-js writes to the console what this package throws as errors; who looks for more sets GRPC_VERBOSITY.
if (process.env.GRPC_VERBOSITY === undefined) setLogVerbosity(logVerbosity.NONE);

/**
 * All that `aggregation.proto` defines; it stands beside this file both in the sources and in `dist/`.
 * The options match those of `npm run generate`, so that the generated types tell the truth.
 */
export const aggregationPackage = loadSync(fileURLToPath(new URL('./aggregation.proto', import.meta.url)), {
  keepCase: false,
  longs: Number,
  enums: String,
  defaults: true,
  oneofs: true,
});

/** Client constructor (`new Aggregation(address, credentials)`) and service definition (`Aggregation.service`). */
export const Aggregation = (loadPackageDefinition(aggregationPackage) as unknown as ProtoGrpcType).dpfl.v1.Aggregation;
