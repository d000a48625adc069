import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  type Server,
  type ServiceDefinition,
  status,
} from '@grpc/grpc-js';
import { HealthImplementation, service as healthService } from 'grpc-health-check';

/** The services whose health is known: the server as a whole, and the one by which workers reach it. */
const SERVICES = ['', 'dpfl.v1.Aggregation'];

interface Asked {
  readonly service: string;
}

/** What the library registers. */
interface HealthHandlers {
  readonly check: handleUnaryCall<Asked, unknown>;
  readonly watch: handleServerStreamingCall<Asked, unknown>;
  readonly list: handleUnaryCall<unknown, unknown>;
}

/**
 * The standard health service (grpc.health.v1.Health, grpc/doc/health-checking.md). It answers anyone who gets as far as a
 * connection, since probes have no token, and tells them one bit. Names it does not know are refused at once: the library would keep every
 * name that someone watches.
 */
export class Health {
  readonly #health = new HealthImplementation();

  constructor() {
    this.set(true);
  }

  /** Whether workers are welcome. Whoever watches is told. */
  set(serving: boolean): void {
    for (const name of SERVICES) this.#health.setStatus(name, serving ? 'SERVING' : 'NOT_SERVING');
  }

  /**
   * Offers the service on `server`.
   * @param onProbe hears from where (`address:port`) each call comes
   */
  addTo(server: Pick<Server, 'addService'>, onProbe: (peer: string) => void = () => undefined): void {
    this.#health.addToServer({
      addService: (_, handlers) => {
        const { check, watch, list } = handlers as unknown as HealthHandlers;
        const guarded: HealthHandlers = {
          check: (call, callback) => {
            onProbe(call.getPeer());
            if (SERVICES.includes(call.request.service)) check(call, callback);
            else callback(UNKNOWN);
          },
          watch: (call) => {
            onProbe(call.getPeer());
            if (SERVICES.includes(call.request.service)) watch(call);
            else call.emit('error', UNKNOWN);
          },
          list: (call, callback) => {
            onProbe(call.getPeer());
            list(call, callback);
          },
        };
        server.addService(healthService as ServiceDefinition, { ...guarded });
      },
    });
  }
}

const UNKNOWN = {
  code: status.NOT_FOUND,
  details: `no such service here; those known are '${SERVICES.join("' and '")}'`,
};
