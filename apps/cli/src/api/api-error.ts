/**
 * A refusal by the API, in its own words. Its code is text: the server may be newer than this command and know more codes.
 */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly action: string;
  readonly requestId: string | undefined;

  constructor(status: number, error: { code: string; message: string; action: string; request_id?: string }) {
    super(error.message);
    this.name = 'ApiError';
    this.status = status;
    this.code = error.code;
    this.action = error.action;
    this.requestId = error.request_id;
  }
}
