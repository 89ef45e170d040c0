import type { VaultEmulator } from './emulator.ts';

/** Where the demo's keys are: below `demo/` of this mount. */
export const demoMount = 'secret';

/** Fills an empty emulator with keys that look like keys and open nothing. */
export function seedDemo(emulator: VaultEmulator): void {
  const kv = emulator.mounts.enable(demoMount, { type: 'kv', version: 2 });
  const keys: Record<string, Record<string, unknown>> = {
    'openai/production': { value: 'sk-demo-not-a-key-openai-production-0001' },
    'openai/staging': { value: 'sk-demo-not-a-key-openai-staging-0002' },
    'openai/batch': { value: 'sk-demo-not-a-key-openai-batch-0003' },
    'anthropic/production': { value: 'sk-ant-demo-not-a-key-production-0001' },
    'anthropic/evaluation': { value: 'sk-ant-demo-not-a-key-evaluation-0002' },
    'mistral/production': { value: 'demo-not-a-key-mistral-0001' },
    'cohere/embeddings': { value: 'demo-not-a-key-cohere-0001' },
    'google/gemini': { value: 'AIza-demo-not-a-key-gemini-0001' },
    'azure/openai-eastus': {
      api_key: 'demo-not-a-key-azure-0001',
      api_version: '2026-01-01',
      endpoint: 'https://demo.example.invalid',
    },
    'virtual-keys/team-search': { value: 'vk-demo-not-a-key-search-0001' },
  };
  for (const [path, data] of Object.entries(keys)) kv.put(`demo/${path}`, data);
  kv.put(
    'demo/virtual-keys/team-support',
    { value: 'vk-demo-not-a-key-support-0002' },
    { customMetadata: { owner: 'support@example.invalid', cost_center: 'demo-42' } },
  );
  kv.put(
    'demo/contractors/short-lived',
    { value: 'sk-demo-not-a-key-short-lived-0001' },
    { deleteVersionAfter: '90d' },
  );
}
