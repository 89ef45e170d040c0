import { AsyncLocalStorage } from 'node:async_hooks';

/** The request that something is done for. */
export interface RequestContext {
  requestId: string;
  /** Of who asks, as far as the API knows it. */
  address: string;
}

/** Set by the API for each request, so that whatever is audited on the way says which request it came of. */
export const requestContext = new AsyncLocalStorage<RequestContext>();
