/**
 * Tells the server from time to time that the client is there.
 *
 * @module
 */

/** How many times in its idle time a server hears of a client. */
const TIMES = 3;

/**
 * Calls `ping` if `count`, the number of requests so far, has not changed for
 * long. Returns what ends it.
 *
 * `idleTimeout` is the server's, in milliseconds; 0 means that it has none.
 */
export function keepAlive(
  idleTimeout: number,
  count: () => number,
  ping: () => void,
): () => void {
  if (idleTimeout === 0) return () => {};
  let before = count();
  const timer = setInterval(() => {
    if (count() === before) ping();
    before = count();
  }, Math.min(idleTimeout / TIMES, 0x7fffffff));
  return () => clearInterval(timer);
}
