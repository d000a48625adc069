import { ConfigError } from '../errors.ts';

/** @throws ConfigError unless `address` is of the form `host:port`; `source` names the option it came from */
export function requireAddress(address: string, source: string): void {
  if (!/^.+:\d+$/.test(address)) {
    throw new ConfigError(`${source} '${address}': give it as host:port, for instance 127.0.0.1:50051`);
  }
}
