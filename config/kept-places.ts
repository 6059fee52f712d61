import { childOf, type Located, type Place } from './document.js';
import type { PipelineSettings } from './pipeline-schema.js';
import type { Problem } from './problem.js';

/** A part of a pipeline file, and where it stands or would. */
export interface KeptPart {
  readonly located: Located | undefined;
  readonly file: string;
  readonly path: string;
  readonly place: Place;
}

/**
 * An address that is missing, of another kind than the store's, or of no use would only be found, if ever, when the
 * pipeline runs.
 */
export const requireOffsetsUrl = (
  { store, url }: Partial<PipelineSettings['offsets']>,
  part: KeptPart,
  problems: Problem[],
): void => {
  if (store === undefined || url === undefined) return;
  const say = sayAt(part, 'url', problems);
  if (store === 'file') {
    if (url !== '') say('is not used by the store file: name the store that it is of, redis or postgres');
    return;
  }
  const schemes = store === 'redis' ? ['redis', 'rediss'] : ['postgres', 'postgresql'];
  if (schemes.some((scheme) => url.startsWith(`${scheme}://`))) {
    if (!URL.canParse(url)) say(noUrl);
    return;
  }
  say(
    url === ''
      ? `is required for the store ${store}: ${store}://…`
      : `must start with ${store}:// for the store ${store}`,
  );
};

/** Dead letters go to one place: whoever looks for them in another would find none. */
export const requireOneLetterPlace = (part: KeptPart, problems: Problem[]): void => {
  const [first, ...others] = ['path', 'url', 'sink'].filter((key) => isGiven(childOf(part.located, key)));
  for (const other of others)
    sayAt(
      part,
      other,
      problems,
    )(`stands beside deadLetters.${first}: dead letters go to one place, name one`);
  const url = childOf(part.located, 'url');
  if (url?.kind !== 'scalar' || !isGiven(url)) return;
  const say = sayAt(part, 'url', problems);
  if (!/^rediss?:\/\//.test(String(url.value)))
    say('must be an address such as redis://host:6379, or rediss:// for TLS');
  else if (!URL.canParse(String(url.value))) say(noUrl);
};

const noUrl = 'is no URL: its port is no port, or a # of the password is not written as %23';

/** Empty, as by a variable that is not set, is none; what is faulty has been told. */
const isGiven = (located: Located | undefined): boolean =>
  located !== undefined && (located.kind !== 'scalar' || (located.value !== '' && located.isFaulty !== true));

const sayAt =
  ({ located, file, path, place }: KeptPart, key: string, problems: Problem[]) =>
  (message: string): void => {
    const where = childOf(located, key)?.place ?? located?.place ?? place;
    problems.push({ file, ...where, path: `${path}.${key}`, message });
  };
