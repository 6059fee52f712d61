/**
 * The Redis whose commands are spoken here: clients ask for it to learn which words they may use, and some refuse to
 * work with an old one.
 */
export const redisVersion = '7.0.0';
