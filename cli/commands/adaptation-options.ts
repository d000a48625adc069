import { type Command, Option } from 'commander';
import { batchNormHandlings } from '../../models/adapt/group-norm.ts';

/**
 * Declares the options of `AdaptationOptions` on a `model` command.
 * @param asInTheFile whether BatchNormalization is by default what the file says, and not what a run would make of it
 */
export function addAdaptationOptions(command: Command, asInTheFile = false): Command {
  const implied = asInTheFile
    ? ''
    : '; by default as in a run: freeze when the file carries trained statistics, else group';
  const batchNorm = new Option(
    '--batch-norm <handling>',
    `keep the stored statistics, or put GroupNorm in their place${implied}`,
  ).choices(batchNormHandlings);
  return command
    .option('--train <section>', "the configuration's train section: which layers are trained")
    .addOption(asInTheFile ? batchNorm.default('freeze') : batchNorm);
}

/** Examples of these options, for help texts. */
export const ADAPTATION_EXAMPLE = `--train '{exclude: ["*mask*", "encoder.*"]}'`;
