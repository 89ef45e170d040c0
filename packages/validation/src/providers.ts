/** Who gives keys, and the words by which a path names them. */
const providers = {
  anthropic: { words: ['anthropic', 'claude'], own: true },
  aws: { words: ['aws', 'amazon', 'bedrock'], own: false },
  azure: { words: ['azure', 'microsoft'], own: false },
  bifrost: { words: ['bifrost'], own: false },
  databricks: { words: ['databricks'], own: false },
  digitalocean: { words: ['digitalocean'], own: false },
  discord: { words: ['discord'], own: false },
  doppler: { words: ['doppler'], own: false },
  github: { words: ['github', 'gh'], own: false },
  gitlab: { words: ['gitlab'], own: false },
  google: { words: ['google', 'gcp', 'gemini', 'vertex', 'vertexai', 'firebase'], own: false },
  groq: { words: ['groq'], own: true },
  hashicorp: { words: ['hashicorp', 'vault', 'openbao'], own: false },
  huggingface: { words: ['huggingface', 'hf'], own: true },
  linear: { words: ['linear'], own: false },
  mailgun: { words: ['mailgun'], own: true },
  notion: { words: ['notion'], own: false },
  npm: { words: ['npm'], own: false },
  openai: { words: ['openai', 'chatgpt'], own: true },
  openrouter: { words: ['openrouter'], own: true },
  perplexity: { words: ['perplexity'], own: true },
  pypi: { words: ['pypi'], own: false },
  replicate: { words: ['replicate'], own: false },
  sendgrid: { words: ['sendgrid'], own: true },
  shopify: { words: ['shopify'], own: false },
  slack: { words: ['slack'], own: false },
  square: { words: ['square'], own: false },
  stripe: { words: ['stripe'], own: true },
  telegram: { words: ['telegram'], own: false },
  twilio: { words: ['twilio'], own: true },
  xai: { words: ['xai', 'grok'], own: true },
} as const satisfies Record<string, ProviderWords>;

interface ProviderWords {
  words: readonly string[];
  /**
   * Whether a folder named so holds its own keys. Those of clouds, code hosts and chats hold what their pipelines and
   * bots need as well, and some names are plain words: there a foreign key is no surprise.
   */
  own: boolean;
}

export type Provider = keyof typeof providers;

const byWord = new Map<string, Provider>(
  (Object.keys(providers) as Provider[]).flatMap((name) => providers[name].words.map((word) => [word, name] as const)),
);

/** The providers that a path names, in any case: `team/OpenAI_key` names one. */
function providersOf(path: string): Set<Provider> {
  const named = new Set<Provider>();
  for (const word of path.toLowerCase().split(/[^a-z0-9]+/)) {
    const provider = byWord.get(word);
    if (provider) named.add(provider);
  }
  return named;
}

/** The one provider whose keys a path is for, if it names one such and `other` isn't named beside it. */
export function expectedProvider(path: string, other: Provider): Provider | null {
  const named = providersOf(path);
  if (named.has(other)) return null;
  const own = [...named].filter((name) => providers[name].own);
  return own.length === 1 ? (own[0] as Provider) : null;
}
