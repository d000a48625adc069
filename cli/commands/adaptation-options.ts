import type { Command } from 'commander';

/** Declares the options of `AdaptationOptions` on a `model` command. */
export function addAdaptationOptions(command: Command): Command {
  return command.option('--train <section>', "the configuration's train section: which layers are trained");
}

/** Examples of these options, for help texts. */
export const ADAPTATION_EXAMPLE = `--train '{exclude: ["*mask*", "encoder.*"]}'`;
