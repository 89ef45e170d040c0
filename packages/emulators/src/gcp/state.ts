import { AccessList } from './access.ts';
import type { Clock } from './clock.ts';
import { SecretStore } from './store.ts';
import { type Person, type Provider, type ServiceAccount, TokenBook } from './tokens.ts';

export interface Project {
  id: string;
  /** What resource names in answers have in place of the id. */
  number: string;
  /** By location; the global ones are at `''`. */
  stores: Map<string, SecretStore>;
}

/** Everything that the emulator holds. */
export class GcpState {
  readonly clock: Clock;
  readonly projects = new Map<string, Project>();
  readonly accounts = new Map<string, ServiceAccount>();
  /** By their refresh tokens. */
  readonly people = new Map<string, Person>();
  /** Identity providers of workload identity pools, by audience. */
  readonly providers = new Map<string, Provider>();
  readonly access = new AccessList();
  readonly tokens: TokenBook;
  /** The account that this machine's metadata server gives tokens of. */
  machineAccount: string | null = null;
  /** Most entries of a page; a page may have less than was asked for. */
  largestPage = 25_000;

  constructor(clock: Clock, tokenSeconds: number) {
    this.clock = clock;
    this.tokens = new TokenBook(clock, tokenSeconds);
  }

  createProject(id: string, number = String(410_000_000_001 + this.projects.size * 7_919)): Project {
    const project: Project = { id, number, stores: new Map() };
    this.projects.set(id, project);
    return project;
  }

  /** By id or by number. */
  project(name: string): Project | undefined {
    return this.projects.get(name) ?? this.projects.values().find(({ number }) => number === name);
  }

  store(project: Project, location: string): SecretStore {
    const store = project.stores.get(location) ?? new SecretStore(this.clock);
    project.stores.set(location, store);
    return store;
  }
}
