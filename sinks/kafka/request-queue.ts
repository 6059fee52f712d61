import RequestQueue from 'kafkajs/src/network/requestQueue/index.js';

/**
 * After the first answer of a connection kafkajs sets a timer to look whether requests wait, for a time that lies before
 * now where no broker throttles: it ends after 1 ms and sets the next, as long as the connection stands. An idle sink
 * woke up a thousand times a second for each broker, and Node.js 24 warns of the negative time. Requests that wait are
 * sent when an answer makes room; the timer is for those alone that are held back by throttling, so it needs some.
 */
const schedule = RequestQueue.prototype.scheduleCheckPendingRequests;
RequestQueue.prototype.scheduleCheckPendingRequests = function (this: RequestQueue): void {
  if (this.pending.length > 0) schedule.call(this);
};
