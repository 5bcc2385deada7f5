// The part of `concordat task` that speaks to a running coordinator: submit, list, watch, stop.
import { type Command, InvalidArgumentError } from 'commander';
import { MAX_ROUNDS } from '../../coordinator/tasks/record.ts';
import type { TaskView } from '../../coordinator/tasks/view.ts';
import { createProgress } from '../../kit/progress.ts';
import { fetchTasks, taskNamed } from './client.ts';
import { taskTable } from './list.ts';
import { type StopOptions, stoppedText, stopTask } from './stop.ts';
import { type SubmitOptions, submitTask, submittedText } from './submit.ts';
import { watchTask } from './watch.ts';

const COORDINATOR = ['--coordinator <url>', 'coordinator of the federation'] as const;
const TOKEN = ['--token-file <file>', 'operator token of the coordinator: `operator-token` in its folder'] as const;
const NAME = ['<task>', 'its id, its hash, or the beginning of its hash'] as const;

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const isTty = (): boolean => process.stdout.isTTY === true;

export function registerRunningTasks(task: Command): void {
  task
    .command('submit')
    .description('have a running federation learn a task; submitted again, it goes on for more rounds')
    .argument('<file>', 'the task, YAML; its data contract is the file that it names')
    .requiredOption(...COORDINATOR)
    .requiredOption(...TOKEN)
    .option('--rounds <n>', 'rounds to run (default: those of the task)', parseRounds)
    .option('--watch', 'follow it to its end')
    .action(submit);
  task
    .command('list')
    .description('the tasks of a coordinator, and how far each is')
    .requiredOption(...COORDINATOR)
    .option('--json', 'print them as JSON')
    .action(async ({ coordinator, json }: { readonly coordinator: string; readonly json?: true }) => {
      const tasks = await fetchTasks(coordinator);
      say(json ? JSON.stringify(tasks, undefined, 2) : taskTable(tasks, isTty()));
    });
  task
    .command('watch')
    .description(
      'a line per round until the task ends; exit code 0 when it is finished, 1 when it failed or was stopped',
    )
    .argument(...NAME)
    .requiredOption(...COORDINATOR)
    .action(async (name: string, { coordinator }: { readonly coordinator: string }) => {
      await watch(taskNamed(name, await fetchTasks(coordinator)), coordinator);
    });
  task
    .command('stop')
    .description('start no more rounds of a task')
    .argument(...NAME)
    .requiredOption(...COORDINATOR)
    .requiredOption(...TOKEN)
    .action(async (name: string, options: StopOptions) => {
      const found = taskNamed(name, await fetchTasks(options.coordinator));
      say(stoppedText(await stopTask(found, options)));
    });
}

async function submit(file: string, options: SubmitOptions & { readonly watch?: true }): Promise<void> {
  const taken = await submitTask(file, options);
  say(submittedText(taken, options));
  if (options.watch) await watch(taken, options.coordinator);
}

async function watch(task: TaskView, coordinator: string): Promise<void> {
  const ended = await watchTask(task, coordinator, createProgress());
  if (ended.state === 'failed' || ended.state === 'stopped') process.exitCode = 1;
}

function parseRounds(text: string): number {
  const rounds = Number(text);
  if (Number.isInteger(rounds) && rounds >= 1 && rounds <= MAX_ROUNDS) return rounds;
  throw new InvalidArgumentError(`A whole number from 1 to ${MAX_ROUNDS}.`);
}
