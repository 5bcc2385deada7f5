// `concordat task`: what a data scientist does with tasks.
import type { Command } from 'commander';
import { registerCheck } from './check.ts';
import { registerModel } from './model.ts';
import { registerRunningTasks } from './running.ts';

export function registerTask(program: Command): void {
  const task = program
    .command('task')
    .description('learning tasks: check them, submit them to a running federation and watch them');
  registerCheck(task);
  registerModel(task);
  registerRunningTasks(task);
}
