/** The polynomial of Castagnoli, its bits reversed (RFC 3720, B.4). Node's own CRC-32 has another one. */
const polynomial = 0x82f63b78;

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit += 1) remainder = (remainder >>> 1) ^ (remainder & 1 ? polynomial : 0);
  return remainder;
});

/** The checksum that Google keeps beside a value, from 0 to 2^32 - 1. */
export function crc32c(bytes: Uint8Array): number {
  let checksum = ~0;
  for (const byte of bytes) checksum = (checksum >>> 8) ^ (table[(checksum ^ byte) & 0xff] ?? 0);
  return ~checksum >>> 0;
}
