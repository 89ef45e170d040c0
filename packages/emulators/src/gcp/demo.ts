import type { SecretsHandle } from './secrets-handle.ts';

const day = 86_400_000;

/** Fills an empty emulator with keys that look like keys and open nothing. `--` stands for a slash. */
export function seedDemo(secrets: SecretsHandle, now: number): void {
  const keys: Record<string, string> = {
    'openai--production': 'sk-demo-not-a-key-openai-production-0001',
    'openai--staging': 'sk-demo-not-a-key-openai-staging-0002',
    'openai--batch': 'sk-demo-not-a-key-openai-batch-0003',
    'anthropic--production': 'sk-ant-demo-not-a-key-production-0001',
    'anthropic--evaluation': 'sk-ant-demo-not-a-key-evaluation-0002',
    'mistral--production': 'demo-not-a-key-mistral-0001',
    'cohere--embeddings': 'demo-not-a-key-cohere-0001',
    'google--gemini': 'AIza-demo-not-a-key-gemini-0001',
    'azure--openai-eastus': JSON.stringify({
      api_key: 'demo-not-a-key-azure-0001',
      api_version: '2026-01-01',
      endpoint: 'https://demo.example.invalid',
    }),
    'virtual-keys--team-search': 'vk-demo-not-a-key-search-0001',
  };
  for (const [name, value] of Object.entries(keys)) secrets.put(`demo--${name}`, value);
  secrets.put('demo--virtual-keys--team-support', 'vk-demo-not-a-key-support-0002', {
    labels: { cost_center: 'demo-42' },
    annotations: { owner: 'support@example.invalid' },
  });
  secrets.put('demo--contractors--short-lived', 'sk-demo-not-a-key-short-lived-0001', {
    expiresAt: new Date(now + 90 * day),
  });
}
