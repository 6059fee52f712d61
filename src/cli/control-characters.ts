/**
 * What others have named, or a server has answered, must neither command a terminal nor forge a line of ours: control
 * characters are shown as \xHH.
 */

/** All but line ends and tabs. */
export const withoutControls = (text: string): string => text.replace(/[^\P{Cc}\n\t]/gu, inHexadecimal);

/** All of them, for text that is one line or a cell of one. */
export const inOneLine = (text: string): string => text.replace(/\p{Cc}/gu, inHexadecimal);

const inHexadecimal = (control: string): string =>
  `\\x${control.charCodeAt(0).toString(16).padStart(2, '0')}`;
