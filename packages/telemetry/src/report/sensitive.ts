/** Files that are worth a line in a report when somebody opens them. */

/** Paths with `*` for any part, for the option `fileAccess`. */
export const SENSITIVE_FILES: readonly string[] = [
  '/etc/shadow',
  '/etc/gshadow',
  '/etc/sudoers',
  '**/.ssh/*',
  '**/.gnupg/**',
  '**/.aws/credentials',
  '**/.aws/config',
  '**/.azure/*',
  '**/.config/gcloud/**',
  '**/.kube/config',
  '**/.docker/config.json',
  '**/.netrc',
  '**/.npmrc',
  '**/.pypirc',
  '**/.git-credentials',
  '**/.config/gh/hosts.yml',
  '**/.env',
  '**/.bash_history',
  '**/.zsh_history',
  '**/id_rsa',
  '**/id_ed25519',
]
