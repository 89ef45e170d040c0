/** Largest body of a request, in bytes: settings with a few certificates are far below. */
export const bodyLimit = 256 * 1024;

/** The same of a request that brings a value: the largest one in base64, and more than that as text. */
export const valueBodyLimit = 4 * 1024 * 1024;

/** Longest part of an address that names something. Local paths have at most 1,024 bytes, three characters each. */
export const longestParameter = 3 * 1024;

/** How long a plan may take, in milliseconds, and how many are made at a time: each reads what a cycle would read. */
export const planDeadlineMs = 10 * 60_000;
export const plansAtATime = 2;

/** How long a client may take to send a whole request, in milliseconds: half of one must not hold a socket, or a stop. */
export const requestDeadlineMs = 10_000;
