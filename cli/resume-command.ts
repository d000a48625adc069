/** The command that continues a run in `directory`. @param listen the address of `dpfl server`; undefined for `dpfl run` */
export function resumeCommand(directory: string, listen?: string): string {
  return `${listen === undefined ? 'dpfl run' : `dpfl server --listen ${listen}`} --resume ${directory}`;
}
