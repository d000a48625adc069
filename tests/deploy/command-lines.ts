import { createProgram } from '../../cli/program.ts';

/** What is wrong with a container's `dpfl …` command line, by the real program's own options; empty when nothing is. */
export function objections([name, ...args]: readonly string[]): string[] {
  const command = createProgram().commands.find((each) => each.name() === name);
  if (command === undefined) return [`no command ${name}`];
  const { unknown } = command.exitOverride().parseOptions([...args]);
  const missing = command.options.filter(
    (option) => option.mandatory && command.getOptionValue(option.attributeName()) === undefined,
  );
  return [...unknown, ...missing.map(({ long }) => `${long} is missing`)];
}

/** The value of a `--flag=value`. */
export function flagValue(args: readonly string[], flag: string): string {
  const found = args.find((arg) => arg.startsWith(`${flag}=`));
  if (found === undefined) throw new Error(`${flag} is not given`);
  return found.slice(flag.length + 1);
}
