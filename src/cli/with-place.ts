import { type FilePlace, formatProblem } from '../../config/index.js';
import { isTailraceError, TailraceError } from '../errors/index.js';

/** A mistake of a pipeline file that was only found when a part was made, with its place in the file. */
export const withPlace = (error: unknown, place: FilePlace): unknown => {
  if (!isTailraceError(error, 'CONFIG_INVALID')) return error;
  const { code, message, context, remedy } = error;
  return new TailraceError(code, formatProblem({ ...place, message }), { context, remedy, cause: error });
};
