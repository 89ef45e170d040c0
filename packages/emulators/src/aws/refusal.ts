/** What the service answers instead of a result. The code is that of the protocol in which it was asked. */
export class Refusal extends Error {
  readonly code: string;
  readonly status: number;

  constructor(code: string, message: string, status = 400) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

export function accessDenied(caller: string, action: string, resource: string, explicit: boolean): Refusal {
  const because = explicit
    ? 'with an explicit deny in an identity-based policy'
    : `because no identity-based policy allows the ${action} action`;
  const message = `User: ${caller} is not authorized to perform: ${action} on resource: ${resource} ${because}`;
  return new Refusal('AccessDeniedException', message);
}

export const throttled = () => new Refusal('ThrottlingException', 'Rate exceeded');
