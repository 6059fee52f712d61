/** Runs every step, even when one before it fails. @throws the first error, when all have run */
export const closeAll = async (steps: readonly (() => Promise<void> | undefined)[]): Promise<void> => {
  const errors: unknown[] = [];
  for (const step of steps) {
    try {
      await step();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
};
