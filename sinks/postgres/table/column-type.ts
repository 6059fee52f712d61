/** The types that a mapped column may have, and how their text is checked before the server sees it. */
const checks: Readonly<Record<string, (text: string) => boolean>> = {
  text: () => true,
  bytea: () => true,
  boolean: (text) => /^\s*(t|true|y|yes|on|1|f|false|n|no|off|0)\s*$/i.test(text),
  smallint: (text) => isInteger(text, 16n),
  integer: (text) => isInteger(text, 32n),
  bigint: (text) => isInteger(text, 64n),
  numeric: (text) => isNumber(text),
  real: (text) => isNumber(text),
  'double precision': (text) => isNumber(text),
  uuid: (text) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text),
  jsonb: (text) => isJson(text),
  // Of these the server knows more forms than is worth repeating.
  date: () => true,
  timestamptz: () => true,
};

export const columnTypes: readonly string[] = Object.keys(checks);

/** Types of which each value has one text only when it is written plainly, so that two keys never are one row. */
export const keyTypes: readonly string[] = ['text', 'smallint', 'integer', 'bigint', 'uuid'];

/** True when the server will take the text as a value of the type, as far as can be told here. */
export const isOfType = (text: string, type: string): boolean => checks[type]?.(text) ?? false;

/** True when the text is the plain form of a value that is part of a row's key. */
export const isPlainKey = (text: string, type: string): boolean => {
  if (!isOfType(text, type)) return false;
  if (type === 'text') return true;
  return type === 'uuid' ? text === text.toLowerCase() : /^(0|-?[1-9]\d*)$/.test(text);
};

const isInteger = (text: string, bits: bigint): boolean =>
  /^\s*[+-]?\d{1,20}\s*$/.test(text) &&
  BigInt.asIntN(Number(bits), BigInt(text.trim())) === BigInt(text.trim());

const isNumber = (text: string): boolean =>
  /^\s*([+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?|nan|[+-]?inf(inity)?)\s*$/i.test(text);

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};
