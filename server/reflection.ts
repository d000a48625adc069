import type {
  Metadata,
  Server,
  ServerDuplexStream,
  ServiceDefinition,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { protoPath } from 'grpc-health-check';
import { aggregationPackage } from '../proto/load.ts';
import type { Refusal } from './admission.ts';

/**
 * Offers server reflection (grpc.reflection.v1 and v1alpha): tools such as grpcurl learn from the server itself which calls it has.
 * @param objection why a caller with this metadata is not told; undefined when it may know
 */
export function addReflection(
  server: Pick<Server, 'addService'>,
  objection: (metadata: Metadata, peer: string) => Refusal | undefined,
): void {
  const reflection = new ReflectionService({ ...aggregationPackage, ...loadSync(protoPath) });
  reflection.addToServer({
    addService: (service: ServiceDefinition, implementation: UntypedServiceImplementation) => {
      const answer = implementation.ServerReflectionInfo as (call: ServerDuplexStream<unknown, unknown>) => void;
      server.addService(service, {
        ServerReflectionInfo: (call: ServerDuplexStream<unknown, unknown>) => {
          const refusal = objection(call.metadata, call.getPeer());
          if (refusal === undefined) answer(call);
          else call.emit('error', refusal);
        },
      });
    },
  });
}
