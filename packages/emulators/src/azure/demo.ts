import type { AzureEmulator } from './emulator.ts';

/** Fills an empty emulator with keys that look like keys and open nothing. With `--` for a slash they are below `demo/`. */
export function seedDemo({ secrets }: AzureEmulator): void {
  const keys: Record<string, string> = {
    'openai--production': 'sk-demo-not-a-key-openai-production-az-0001',
    'openai--staging': 'sk-demo-not-a-key-openai-staging-az-0002',
    'anthropic--production': 'sk-ant-demo-not-a-key-production-az-0001',
    'mistral--production': 'demo-not-a-key-mistral-az-0001',
    'azure--openai-eastus': 'demo-not-a-key-azure-openai-0001',
    'azure--openai-westeurope': 'demo-not-a-key-azure-openai-0002',
  };
  for (const [name, value] of Object.entries(keys)) secrets.put(`demo--${name}`, value);
  const endpoint = { api_key: 'demo-not-a-key-azure-0003', endpoint: 'https://demo.example.invalid' };
  secrets.put('demo--azure--openai-batch', JSON.stringify(endpoint), { contentType: 'application/json' });
  secrets.put('demo--virtual-keys--team-search', 'vk-demo-not-a-key-search-az-0001', {
    tags: { owner: 'search@example.invalid', cost_center: 'demo-42' },
  });
}
