/** The calls that the work needs, by the vendor's client as its manual shows it, and nothing kept. */
export interface BareVault {
  /** Lists everything and reads it all. */
  first(): Promise<void>;
  /** Makes what calls it takes to see that nothing has changed. */
  unchanged(): Promise<void>;
  /** The same where these have changed, which are read. */
  changed(names: readonly string[]): Promise<void>;
}

export interface BareTarget {
  url: string;
  credentials: Record<string, string>;
  /** Calls at a time. */
  concurrency: number;
}
