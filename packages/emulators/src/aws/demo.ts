import type { AwsEmulator } from './emulator.ts';

/** Fills an empty emulator with keys that look like keys and open nothing, below `demo/`. */
export function seedAwsDemo({ secrets }: AwsEmulator): void {
  const keys: Record<string, string> = {
    'openai/production': 'sk-demo-not-a-key-openai-production-0001',
    'openai/staging': 'sk-demo-not-a-key-openai-staging-0002',
    'anthropic/production': 'sk-ant-demo-not-a-key-production-0001',
    'anthropic/evaluation': 'sk-ant-demo-not-a-key-evaluation-0002',
    'mistral/production': 'demo-not-a-key-mistral-0001',
    'cohere/embeddings': 'demo-not-a-key-cohere-0001',
    'bedrock/gateway': JSON.stringify({ api_key: 'demo-not-a-key-bedrock-0001', region: 'us-east-1' }),
  };
  for (const [name, value] of Object.entries(keys)) secrets.put(`demo/${name}`, value);
  secrets.put('demo/virtual-keys/team-search', 'vk-demo-not-a-key-search-0001', {
    tags: { owner: 'search@example.invalid', cost_center: 'demo-42' },
  });
  secrets.put('demo/contractors/short-lived', 'sk-demo-not-a-key-short-lived-0001', {
    tags: { expires_at: '2099-12-31T00:00:00Z' },
  });
}
