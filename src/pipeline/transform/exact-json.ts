/**
 * JSON that keeps numbers as they are written: a double would round those of more than 15 digits. They travel as
 * strings that begin with a mark.
 */
export const parseJson = (text: string): unknown => {
  if (!/\d{16}|\d[eE]|\.\d*0(?!\d)|-0/.test(text) || text.includes('\\u0000')) return JSON.parse(text);
  JSON.parse(text); // what is no JSON must not become any
  return JSON.parse(
    text.replace(tokens, (token) =>
      token.startsWith('"') || String(Number(token)) === token ? token : `"\\u0000${token}"`,
    ),
  );
};

export const writeJson = (value: unknown): string =>
  JSON.stringify(value).replace(/"\\u0000([-+.\deE]+)"/g, '$1');

const tokens = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

export const isJsonObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
