/** Largest body of a request, in bytes: settings with a few certificates are far below. */
export const bodyLimit = 256 * 1024;

/** Longest part of an address that names something. Local paths have at most 1,024 bytes, three characters each. */
export const longestParameter = 3 * 1024;

/** How long a vault may take to answer a test, in milliseconds. */
export const testDeadlineMs = 15_000;
