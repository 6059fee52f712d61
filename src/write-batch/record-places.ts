/**
 * Where a record lies in a batch, in numbers that one array has for all records of it:
 *
 *   kind · column family · key start · key end · value start · value end
 *
 * Records that take no sequence number have no place.
 */
export const placeFields = 6;
