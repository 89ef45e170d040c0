const readPermissions = [
  'secretmanager.secrets.get',
  'secretmanager.secrets.list',
  'secretmanager.versions.access',
  'secretmanager.versions.get',
  'secretmanager.versions.list',
];

const writePermissions = ['secretmanager.secrets.create', 'secretmanager.secrets.delete', 'secretmanager.versions.add'];

/** Commands that make a role of one's own in the project, and give it to a service account. */
function commands(role: string, title: string, permissions: readonly string[]): string {
  return `gcloud iam roles create ${role} --project PROJECT_ID \\
  --title "${title}" \\
  --permissions ${permissions.join(',')}

gcloud projects add-iam-policy-binding PROJECT_ID \\
  --member serviceAccount:keyferry@PROJECT_ID.iam.gserviceaccount.com \\
  --role projects/PROJECT_ID/roles/${role}
`;
}

export const policies = {
  read_only: commands('keyferryReader', 'Keyferry, reading', readPermissions),
  read_and_write: commands('keyferryWriter', 'Keyferry, reading and writing', [
    ...readPermissions,
    ...writePermissions,
  ]),
};
