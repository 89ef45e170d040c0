export type { AwsControls } from './aws/control.ts';
export { seedAwsDemo } from './aws/demo.ts';
export { type AwsEmulator, type AwsEmulatorOptions, startAwsEmulator } from './aws/emulator.ts';
export type { AccessKey as AwsAccessKey } from './aws/identities.ts';
export type {
  IdentitiesHandle as AwsIdentitiesHandle,
  RoleOptions as AwsRoleOptions,
} from './aws/identities-handle.ts';
export type { Statement as AwsStatement } from './aws/policy.ts';
export type {
  SecretDetails as AwsSecretDetails,
  SecretOptions as AwsSecretOptions,
  SecretsHandle as AwsSecretsHandle,
} from './aws/secrets-handle.ts';
export type { Applications, FederatedIssuer } from './azure/applications.ts';
export { createTestCertificate, type TestCertificate } from './azure/certificate.ts';
export type { Controls as AzureControls } from './azure/control.ts';
export { seededName as azureSeededName } from './azure/control.ts';
export { seedDemo as seedAzureDemo } from './azure/demo.ts';
export { type AzureEmulator, type AzureEmulatorOptions, startAzureEmulator } from './azure/emulator.ts';
export type { IdentityOptions, Permission as AzurePermission } from './azure/identities.ts';
export type { QuotaSettings as AzureQuotaSettings } from './azure/quota.ts';
export type { PutOptions as AzurePutOptions, SecretsHandle } from './azure/secrets-handle.ts';
export type { GcpControls } from './gcp/control.ts';
export { type GcpEmulator, type GcpEmulatorOptions, startGcpEmulator } from './gcp/emulator.ts';
export type { Pool } from './gcp/identities.ts';
export { publishedQuotas } from './gcp/quotas.ts';
export type { Flavour } from './hashicorp/answer.ts';
export type { AuthHandle, SecretIdOptions } from './hashicorp/auth-handle.ts';
export type { TokenPolicy } from './hashicorp/auth-roles.ts';
export type { Controls } from './hashicorp/control.ts';
export { demoMount, seedDemo } from './hashicorp/demo.ts';
export {
  type MountOptions,
  startVaultEmulator,
  type VaultEmulator,
  type VaultEmulatorOptions,
} from './hashicorp/emulator.ts';
export type { KvHandle, PutOptions, SecretData, SecretState } from './hashicorp/kv-handle.ts';
export type { Capability, PolicyRules } from './hashicorp/policies.ts';
export type { NodeMode } from './hashicorp/state.ts';
export type { TokenSettings } from './hashicorp/tokens.ts';
export type { Fault, FaultEffect, FaultHandle, Faults, RequestFacts } from './http/faults.ts';
export type { QuotaSettings } from './http/quota.ts';
export type { LoggedRequest, RequestLog } from './http/request-log.ts';
export type { TlsSettings } from './http/server.ts';
export type { Control, SeedControls, ServerControls } from './process/control.ts';
export { type EmulatorKind, emulatorKinds } from './process/program.ts';
export {
  controlOver,
  type EmulatorAddress,
  type SpawnedEmulator,
  type SpawnOptions,
  spawnEmulator,
} from './process/spawn.ts';
