import { type KeyPlace, keyAt } from '../key-place.js';

/** Asks for places, those of each namespace together; the answers in the order of `places`. */
export const byNamespace = async <Answer>(
  places: readonly KeyPlace[],
  ask: (ns: string, own: readonly KeyPlace[]) => Promise<readonly Answer[]>,
): Promise<Answer[]> => {
  const members = new Map<string, number[]>();
  places.forEach((place, at) => {
    const { ns } = keyAt(place);
    const own = members.get(ns);
    if (own === undefined) members.set(ns, [at]);
    else own.push(at);
  });
  const answers: Answer[] = new Array(places.length);
  for (const [ns, own] of members) {
    const found = await ask(
      ns,
      own.map((at) => places[at]),
    );
    own.forEach((at, index) => {
      answers[at] = found[index];
    });
  }
  return answers;
};
