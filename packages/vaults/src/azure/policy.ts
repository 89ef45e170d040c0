/** What an identity needs, as commands of the Azure CLI: by roles, which new vaults use, and by access policies. */
const readOnly = `# The vault uses Azure RBAC. "Key Vault Secrets User" reads values and lists their properties.
az role assignment create \\
  --role "Key Vault Secrets User" \\
  --assignee "$CLIENT_ID" \\
  --scope "$(az keyvault show --name "$VAULT" --query id --output tsv)"

# The vault uses access policies instead.
az keyvault set-policy --name "$VAULT" --spn "$CLIENT_ID" --secret-permissions get list
`;

const readAndWrite = `# The vault uses Azure RBAC: a role of no more than is needed, where "Key Vault Secrets Officer" may also purge.
az role definition create --role-definition '{
  "Name": "Keyferry secrets",
  "Description": "Reads, lists, writes, deletes and recovers secrets; never purges them.",
  "AssignableScopes": ["/subscriptions/'"$SUBSCRIPTION"'"],
  "Actions": [],
  "DataActions": [
    "Microsoft.KeyVault/vaults/secrets/getSecret/action",
    "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
    "Microsoft.KeyVault/vaults/secrets/setSecret/action",
    "Microsoft.KeyVault/vaults/secrets/delete",
    "Microsoft.KeyVault/vaults/secrets/recover/action"
  ]
}'
az role assignment create \\
  --role "Keyferry secrets" \\
  --assignee "$CLIENT_ID" \\
  --scope "$(az keyvault show --name "$VAULT" --query id --output tsv)"

# The vault uses access policies instead.
az keyvault set-policy --name "$VAULT" --spn "$CLIENT_ID" --secret-permissions get list set delete recover
`;

export const policies = { read_only: readOnly, read_and_write: readAndWrite };
