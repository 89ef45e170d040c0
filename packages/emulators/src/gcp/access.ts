/** What an identity may not do: a permission, everything with a secret, or both together. */
export interface Denial {
  permission?: string;
  secret?: string;
}

/** Who may do what: an identity that was granted a project may do everything in it but what is denied to it. */
export class AccessList {
  readonly grants = new Map<string, Set<string>>();
  readonly denials = new Map<string, Denial[]>();

  grant(identity: string, projectId: string): void {
    this.grants.set(identity, (this.grants.get(identity) ?? new Set()).add(projectId));
  }

  deny(identity: string, denial: Denial): void {
    this.denials.set(identity, [...(this.denials.get(identity) ?? []), denial]);
  }

  allows(identity: string, permission: string, projectId: string, secret: string | null): boolean {
    if (this.grants.get(identity)?.has(projectId) !== true) return false;
    const denials = this.denials.get(identity) ?? [];
    return !denials.some(
      (denial) =>
        (denial.permission === undefined || denial.permission === permission) &&
        (denial.secret === undefined || denial.secret === secret),
    );
  }
}
