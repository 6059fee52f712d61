/** Text without the passwords of addresses: `redis://user:secret@host` becomes `redis://user:***@host`. */
export const redactText = (text: string): string =>
  text.includes('/')
    ? text.replace(addressPassword, '$1:***@').replace(/([?&](?:password|secret|token)=)[^&\s"']+/gi, '$1***')
    : text;

/**
 * Up to the last @, as people forget to encode what a password has of @ and /; a port and a path are none. Also where a
 * sign of the scheme is missing: that address is refused, and shown.
 */
const addressPassword =
  /(\b[\w+.-]+(?::\/\/?|\/\/)[^\s/:@"']*):(?!\d{1,5}[/?#])(?:(?!,[\w+.-]+:\/\/)[^\s"'])+@/g;

/** Facts without secrets: those that are named so, and those in addresses. */
export const redactFacts = (facts: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => {
  const redacted: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(facts))
    redacted[name] = secretName.test(name) ? '***' : typeof value === 'string' ? redactText(value) : value;
  return redacted;
};

const secretName = /password|passphrase|secret|token|credential|authorization/i;
