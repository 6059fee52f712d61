/** Calls `visit` for the part of a run that each page of 2^`pageShift` units has, as units of the space. */
export const forEachPage = (
  start: number,
  length: number,
  pageShift: number,
  visit: (page: number, from: number, to: number) => void,
): void => {
  const end = start + length;
  for (let from = start; from < end; ) {
    const page = from >>> pageShift;
    const to = Math.min(end, (page + 1) * 2 ** pageShift);
    visit(page, from, to);
    from = to;
  }
};
