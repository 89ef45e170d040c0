import { type Format, format } from './format.ts';

/** Providers of language models. */
export const modelFormats: readonly Format[] = [
  // GitHub secret scanning (openai_api_key_v2) and gitleaks know keys of a project, service account or administrator;
  // their lengths have changed twice. Older keys have OpenAI's mark in the middle; `sk-` alone is used by many.
  format({
    name: 'openai_api_key',
    label: 'an OpenAI API key',
    provider: 'openai',
    prefixes: ['sk-proj-', 'sk-svcacct-', 'sk-admin-'],
    otherPrefixes: ['sk-'],
    pattern: /^sk-(?:(?:proj|svcacct|admin)-[\w-]{40,300}|[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20})$/,
  }),
  // gitleaks: 93 characters and AA. The two digits are a version.
  format({
    name: 'anthropic_api_key',
    label: 'an Anthropic API key',
    provider: 'anthropic',
    prefixes: ['sk-ant-api'],
    pattern: /^sk-ant-api\d\d-[\w-]{80,120}$/,
  }),
  format({
    name: 'anthropic_admin_key',
    label: 'an Anthropic admin key',
    provider: 'anthropic',
    prefixes: ['sk-ant-admin'],
    pattern: /^sk-ant-admin\d{0,2}-[\w-]{80,120}$/,
  }),
  format({
    name: 'anthropic_oauth_token',
    label: 'an Anthropic OAuth token',
    provider: 'anthropic',
    prefixes: ['sk-ant-oat', 'sk-ant-ort'],
    pattern: /^sk-ant-o[ar]t\d\d-[\w-]{40,300}$/,
  }),
  // trufflehog, secretlint: 52 characters.
  format({
    name: 'groq_api_key',
    label: 'a Groq API key',
    provider: 'groq',
    prefixes: ['gsk_'],
    pattern: /^gsk_[A-Za-z0-9]{40,80}$/,
  }),
  // GitGuardian (x_ai_api_key): 80 characters.
  format({
    name: 'xai_api_key',
    label: 'an xAI API key',
    provider: 'xai',
    prefixes: ['xai-'],
    pattern: /^xai-\w{60,120}$/,
  }),
  // gitleaks: 48 characters.
  format({
    name: 'perplexity_api_key',
    label: 'a Perplexity API key',
    provider: 'perplexity',
    prefixes: ['pplx-'],
    pattern: /^pplx-[A-Za-z0-9]{32,80}$/,
  }),
  // replicate.com/docs/topics/security/api-tokens: 40 characters with the prefix.
  format({
    name: 'replicate_api_token',
    label: 'a Replicate API token',
    provider: 'replicate',
    prefixes: ['r8_'],
    pattern: /^r8_[A-Za-z0-9]{37}$/,
  }),
  format({
    name: 'openrouter_api_key',
    label: 'an OpenRouter API key',
    provider: 'openrouter',
    prefixes: ['sk-or-v1-'],
    pattern: /^sk-or-v1-[0-9a-f]{64}$/,
  }),
  // gitleaks: 34 letters.
  format({
    name: 'huggingface_token',
    label: 'a Hugging Face token',
    provider: 'huggingface',
    prefixes: ['hf_'],
    pattern: /^hf_[A-Za-z0-9]{30,80}$/,
  }),
  format({
    name: 'bifrost_virtual_key',
    label: 'a Bifrost virtual key',
    provider: 'bifrost',
    type: 'virtual_key',
    prefixes: ['sk-bf-'],
    pattern: /^sk-bf-[\w-]{1,200}$/,
  }),
];
