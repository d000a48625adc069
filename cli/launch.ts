import { ConfigError, PrivacyError } from '../errors.ts';
import { encodeModel } from '../graph/onnx/write.ts';
import { newToken } from '../proto/token.ts';
import { Evaluator } from '../server/evaluation.ts';
import { LocalWorkers } from '../server/local-workers.ts';
import { RoundAbandoned } from '../server/rounds.ts';
import { runFederated } from '../server/run.ts';
import type { RunConfig } from '../server/run-config.ts';
import { AggregationServer } from '../server/service.ts';
import { announce } from './announce.ts';
import { type OpenedRun, openRunDirectory } from './open-run-directory.ts';
import { openServer } from './open-server.ts';
import { blockOf, prepare } from './prepare.ts';
import type { Progress } from './progress.ts';
import { resumeCommand } from './resume-command.ts';
import type { Security } from './security.ts';
import { startingPoint } from './starting-point.ts';
import { removeTokenFile, writeTokenFile } from './token-file.ts';

/** What `dpfl run` and `dpfl server` ask for. */
export interface LaunchOptions {
  readonly config: RunConfig;
  /** File that `config` was read from, for messages. */
  readonly source: string;
  /** Run directory to continue, instead of making a new one. */
  readonly resume?: string;
  /** Address for workers of other machines, `host:port`; undefined: loopback only, with local workers. */
  readonly listen?: string;
  /** With `listen`: an address for probes alone, and whether to offer server reflection. */
  readonly health?: string;
  readonly reflection?: boolean;
  /** With `listen`: how the wire is protected. Local workers get a token of their own. */
  readonly security?: Security;
  readonly progress: Progress;
  /** Ends the run after the round under way. */
  readonly signal: AbortSignal;
  /** Gets the server as soon as it listens. */
  readonly onServer?: (server: AggregationServer) => void;
  /** Hears how to continue the run, as soon as it can be. */
  readonly onResumable?: (hint: string) => void;
}

export interface LaunchOutcome {
  /** The run directory. */
  readonly directory: string;
}

/** Builds model, data set, evaluator and server for `options.config`, and runs federated learning to its end. */
export async function launch(asked: LaunchOptions): Promise<LaunchOutcome> {
  const { listen, progress, security = { token: newToken() } } = asked;
  const block = await blockOf(asked.config);
  const run = await namingSource(asked.source, () => prepare(asked.config, block));
  const { config } = run;
  const options = { ...asked, config };
  const evaluator = await Evaluator.create(run.forward, run.dataset.task, run.binding);
  const server = await openServer(options, security, run);
  if (server instanceof AggregationServer) options.onServer?.(server);
  let workers: LocalWorkers | undefined;
  let opened: OpenedRun | undefined;
  let forgetToken = () => {};
  try {
    opened = await openRunDirectory(options, run);
    const { directory, resumeFrom } = opened;
    options.onResumable?.(resumeHint(directory.path, listen));
    if (server instanceof AggregationServer) {
      options.signal.addEventListener('abort', () => server.waitForNobody(() => abandoned(progress)));
    }
    let tokenFile: string | undefined;
    if (security.tokenIsNew && security.token !== undefined) {
      tokenFile = writeTokenFile(directory.path, security.token);
      forgetToken = () => removeTokenFile(directory.path);
    }
    announce(asked.config, options, run, server, directory.path, tokenFile);
    if (listen === undefined && server instanceof AggregationServer) {
      const onAllFailed = (error: Error) => server.fail(error);
      workers = LocalWorkers.start({
        count: config.federation.workers,
        server: server.address,
        token: security.token,
        onAllFailed,
        log: progress.note,
      });
    }
    const initialParameters = resumeFrom ? run.layout.allocate() : await startingPoint(options, run);
    const { layout, dataset } = run;
    progress.begin({ rounds: config.federation.rounds });
    const { parameters } = await runFederated({
      config,
      runDirectory: directory,
      server,
      initialParameters,
      layout,
      evaluator,
      dataset,
      progress,
      resumeFrom,
      signal: options.signal,
    });
    await directory.write('model.onnx', encodeModel(run.adapted.finish(layout, parameters)));
    return { directory: directory.path };
  } catch (error) {
    if (opened !== undefined) progress.note(resumeHint(opened.directory.path, listen));
    throw error;
  } finally {
    forgetToken();
    await server.close();
    // Those that were connected have hung up by now; any other is not waited for.
    await workers?.stop(1);
    await opened?.directory.unlock();
  }
}

/** A round that nobody trains would not end: there is nothing to wait for. */
function abandoned(progress: Progress): RoundAbandoned {
  progress.note('no worker is connected: no round is waited for');
  return new RoundAbandoned('stopped while no worker was connected');
}

/** How an interrupted run goes on. */
function resumeHint(directory: string, listen: string | undefined): string {
  return `the run stopped; continue it from its last checkpoint: ${resumeCommand(directory, listen)}`;
}

/** Settings that turn out wrong only beside the data are still mistakes in the file they were read from. */
async function namingSource<T>(source: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ConfigError || error instanceof PrivacyError)) throw error;
    throw new ConfigError(`${source}: ${error.message}`, { cause: error });
  }
}
