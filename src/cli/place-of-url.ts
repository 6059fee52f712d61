/** An address as it may be shown and kept: without user and password. */
export const placeOfUrl = (url: string): string => url.replace(/\/\/.*@/, '//');
