/** Each is let go of whatever becomes of those before it. @throws the first error */
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
