import { CommanderError } from 'commander';
import { exitCodes } from './exit-codes.ts';
import type { Io } from './output/output.ts';
import { createProgram } from './program.ts';

/** Runs one command line, without the program's name. Returns the exit code; never rejects for a command's own failure. */
export async function run(args: readonly string[], io: Io): Promise<number> {
  let code: number = exitCodes.ok;
  const end = (ended: number) => {
    code = ended;
  };
  try {
    await createProgram({ io, end }).parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // It has said what is wrong. Asking for help or the version isn't; naming no command is.
    return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  }
  return code;
}
