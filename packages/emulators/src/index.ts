export type { Flavour } from './hashicorp/answer.ts';
export type { AuthHandle, SecretIdOptions } from './hashicorp/auth-handle.ts';
export type { TokenPolicy } from './hashicorp/auth-roles.ts';
export type { Control, ControlOperation, Controls } from './hashicorp/control.ts';
export { demoMount, seedDemo } from './hashicorp/demo.ts';
export {
  type MountOptions,
  startVaultEmulator,
  type VaultEmulator,
  type VaultEmulatorOptions,
} from './hashicorp/emulator.ts';
export type { Fault, FaultEffect, FaultHandle, Faults, RequestFacts } from './hashicorp/faults.ts';
export type { KvHandle, PutOptions, SecretData, SecretState } from './hashicorp/kv-handle.ts';
export type { Capability, PolicyRules } from './hashicorp/policies.ts';
export type { QuotaSettings } from './hashicorp/quota.ts';
export type { LoggedRequest, RequestLog } from './hashicorp/request-log.ts';
export type { TlsSettings } from './hashicorp/server.ts';
export { controlOver, type SpawnedEmulator, type SpawnOptions, spawnVaultEmulator } from './hashicorp/spawn.ts';
export type { NodeMode } from './hashicorp/state.ts';
export type { TokenSettings } from './hashicorp/tokens.ts';
