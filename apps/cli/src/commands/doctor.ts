import type { Command } from 'commander';
import { addCommand, type Host } from '../command.ts';
import type { Finding } from '../doctor/finding.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Output } from '../output/output.ts';
import { printable } from '../output/printable.ts';

export function doctorCommand(program: Command, host: Host): void {
  addCommand(program, host, {
    usage: 'doctor',
    summary: 'look at everything that Keyferry needs, and say what is wrong; exit code 1 if something is',
    example: 'doctor',
    async run({ output, env }) {
      const { examine } = await import('../doctor/examine.ts');
      const findings = await examine(env);
      const failed = findings.some((finding) => finding.result === 'failed');
      output.answer({ ok: !failed, findings }, () => findings.map((finding) => line(output, finding)).join('\n'));
      return failed ? exitCodes.failed : exitCodes.ok;
    },
  });
}

const marks = { ok: 'ok', warning: 'warning', failed: 'FAILED', skipped: 'skipped' } as const;
const styles = { ok: 'green', warning: 'yellow', failed: 'red', skipped: 'dim' } as const;

function line(output: Output, { name, result, message, code, action }: Finding): string {
  const mark = output.style(styles[result], marks[result].padEnd(8));
  const advice = action ? `\n${' '.repeat(24)}${printable(action)}` : '';
  return `${mark} ${name.padEnd(14)} ${printable(message)}${code ? ` (${code})` : ''}${advice}`;
}
