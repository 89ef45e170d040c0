/** Text from outside with its control characters spelled out: a secret's name must not move the cursor or colour. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
