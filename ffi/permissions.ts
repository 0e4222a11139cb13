/** Asking what is allowed without ever prompting for what is optional. */

/** Whether a permission is granted. One that would have to be asked for counts as not granted. */
export function granted(descriptor: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(descriptor).state === "granted";
}

/** An environment variable; an empty or unreadable one counts as not set. */
export function environment(variable: string): string | undefined {
  if (!granted({ name: "env", variable })) return undefined;
  return Deno.env.get(variable) || undefined;
}
