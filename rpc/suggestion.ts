/**
 * What somebody may have meant who wrote a word that nobody knows.
 *
 * @module
 */

/** Longer words are no slip of the finger. */
const WORD_MAX = 64;

/** `; did you mean 'x'?` for the nearest of `known`, or nothing. */
export function suggestion(word: string, known: readonly string[]): string {
  if (word.length > WORD_MAX) return "";
  let best = "";
  let bestDistance = 1 + Math.ceil(word.length / 3);
  for (const candidate of known) {
    const distance = editDistance(word, candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best ? `; did you mean '${best}'?` : "";
}

/** Levenshtein's distance (1966): single-character edits between two words. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[b.length];
}
