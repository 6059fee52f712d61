/** The code of an error, such as ENOENT of the system or ERR_… of Node.js; '' where there is none. */
export const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : '';
