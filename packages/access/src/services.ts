import type { ConnectionServices } from '@keyferry/connections';
import type { Log } from '@keyferry/telemetry';

/** What reading and writing keys needs. */
export interface AccessServices extends ConnectionServices {
  log: Log;
}
