/** For a mount `secret` of which `bifrost/` is carried; both versions of KV, of which a mount has one. */
export const policies = {
  read_only: `# KV version 2
path "secret/metadata/bifrost/*" {
  capabilities = ["list", "read"]
}
path "secret/data/bifrost/*" {
  capabilities = ["read"]
}
# OpenBao: one call lists everything with its versions
path "secret/detailed-metadata/bifrost/*" {
  capabilities = ["list", "scan"]
}

# KV version 1
path "secret/bifrost/*" {
  capabilities = ["list", "read"]
}
`,
  read_and_write: `# KV version 2
path "secret/metadata/bifrost/*" {
  capabilities = ["list", "read", "create", "update"]
}
path "secret/data/bifrost/*" {
  capabilities = ["read", "create", "update", "delete"]
}
path "secret/undelete/bifrost/*" {
  capabilities = ["update"]
}
# OpenBao: one call lists everything with its versions
path "secret/detailed-metadata/bifrost/*" {
  capabilities = ["list", "scan"]
}

# KV version 1
path "secret/bifrost/*" {
  capabilities = ["list", "read", "create", "update", "delete"]
}
`,
};
