import { Identities } from './identities.ts';
import { IdentityProvider } from './identity-provider.ts';
import { KmsStore } from './kms-store.ts';
import { MetadataService } from './metadata-service.ts';
import { PageTokens } from './page-tokens.ts';
import { OperationQuotas } from './quotas.ts';
import { SecretStore } from './secret-store.ts';

export interface Place {
  /** Twelve digits. */
  account: string;
  region: string;
}

/** All that the emulated services know. */
export class AwsState {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Where handles and metadata are, unless told otherwise. */
  readonly home: Place;
  /** Regions that are served, the home's among them. */
  readonly regions: readonly string[];
  readonly batchBytes: number;
  readonly identities = new Identities();
  readonly provider: IdentityProvider;
  readonly metadata: MetadataService;
  readonly pageTokens: PageTokens;
  readonly quotas: OperationQuotas;
  readonly stores = new Map<string, SecretStore>();
  readonly #kms = new Map<string, KmsStore>();

  constructor(now: () => number, home: Place, regions: readonly string[], batchBytes: number) {
    this.now = now;
    this.home = home;
    this.regions = [...new Set([home.region, ...regions])];
    this.batchBytes = batchBytes;
    this.provider = new IdentityProvider(now);
    this.metadata = new MetadataService(this.identities, home.region, now);
    this.pageTokens = new PageTokens(now);
    this.quotas = new OperationQuotas(now);
  }

  /** The secrets of an account in a region. */
  store({ account, region }: Place): SecretStore {
    const key = `${account}/${region}`;
    const found = this.stores.get(key) ?? new SecretStore(account, region, this.now);
    this.stores.set(key, found);
    return found;
  }

  /** The keys of the key management service there. */
  kms({ account, region }: Place): KmsStore {
    const place = `${account}/${region}`;
    const found = this.#kms.get(place) ?? new KmsStore(account, region, this.now);
    this.#kms.set(place, found);
    return found;
  }
}
