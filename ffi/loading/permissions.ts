/** Asking what is allowed without ever prompting for what is optional. */

/** Return whether a permission is granted. One that Deno would prompt for counts as not granted. */
export function granted(descriptor: Deno.PermissionDescriptor): boolean {
  try {
    return Deno.permissions.querySync(descriptor).state === "granted";
  } catch {
    // Deno can't resolve a command or a path in a current folder that has been removed.
    return false;
  }
}

/** An environment variable; an empty or unreadable one counts as not set. */
export function environment(variable: string): string | undefined {
  if (!granted({ name: "env", variable })) return undefined;
  return Deno.env.get(variable) || undefined;
}
