/** Calls that change something and take no `dryRun`, and why. Of all others that do, packages/core/test/api/dry-run.test.ts sees that they take it. */
export const WITHOUT_DRY_RUN: Readonly<Record<string, string>> = {
  'operations.cancel':
    'What comes of it depends on how far the operation is at that moment; its row tells that, and whether it can still be taken back.',
  'operations.retry':
    'It is the step that is tried: nobody knows before what the other side will answer. `attention` of the operation tells what it answered last.',
  'operations.skip':
    'Whether what is left undone does harm is nothing that the control plane can know. `attention` of the operation names the step.',
  'api-keys.create': 'Its answer is a secret that is told once, and all there is to it.',
  'api-keys.rotate': 'Its answer is a secret that is told once, and all there is to it.',
  'sessions.create': 'It tries a password. A try that counts for nothing would be one more way to guess.',
  'sessions.token': 'It tries a token of somebody else; such a token may be good for one use.',
  'logout.create': 'It ends what it is asked with, and nothing else.',
  'password.create': 'It tries a password. A try that counts for nothing would be one more way to guess.',
  'users.password': 'It ends sessions and takes a secret, which a question has no need to send.',
  'recovery.confirm': '`GET /v1/recovery` tells whether there is something to confirm, and the list of strays what to look through before.',
  'images.uploadContent':
    'Whether content will do is known when all of it has come. `GET /v1/images/{id}/content/received` tells what is there already.',
  'instances.console': 'A token that nobody uses ends by itself, in a minute.',
  'instances.consoleRevoke': 'What it closes is opened again by one call.',
  'backups.create': 'It changes nothing but the backup directory, and how large the store is then is known when it is done.',
};
