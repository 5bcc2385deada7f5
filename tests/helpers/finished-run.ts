// One finished run of the main job, shared by the tests that need one. For now: the folder named in CONCORDAT_FINISHED_RUN.

/** `outDir` holds federation.json, the bundle and the kept state of the chain. */
export async function finishedRun(): Promise<{ readonly outDir: string }> {
  const outDir = process.env.CONCORDAT_FINISHED_RUN;
  if (outDir === undefined) throw new Error('set CONCORDAT_FINISHED_RUN to the --out folder of a finished run');
  return { outDir };
}
