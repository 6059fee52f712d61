/**
 * Numbers per record in the array that says where the records of a batch lie:
 *
 *   kind · column family · key start · key end · value start · value end
 *
 * Only counted records, those that take a sequence number, are in it.
 */
export const placeFields = 6;
