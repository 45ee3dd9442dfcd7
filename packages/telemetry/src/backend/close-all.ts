/**
 * Runs all of some actions that close something, also if one of them fails.
 *
 * @throws the first error
 */
export function closeAll(...actions: readonly (() => void)[]): void {
  let first: { readonly error: unknown } | undefined
  for (const action of actions) {
    try {
      action()
    } catch (error) {
      first ??= { error }
    }
  }
  if (first !== undefined) throw first.error
}

/** As `closeAll`, after an error that matters more than theirs. */
export function closeAfterError(...actions: readonly (() => void)[]): void {
  try {
    closeAll(...actions)
  } catch {
    // The caller throws the error that came first.
  }
}
